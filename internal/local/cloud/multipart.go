package cloud

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/google/uuid"
)

// The bounds of multipart uploads. They are smaller than the bounds of S3, because a
// client that does not complete an upload leaves its parts on disk.
const (
	maxUploads     = 32
	maxParts       = 10_000
	maxUploadBytes = 1 << 30
	// uploadLifetime is the age at which an upload makes room for a new one.
	uploadLifetime = time.Hour
)

// multipartUploads are the uploads of a bucket. The zero value is ready.
type multipartUploads struct {
	mu   sync.Mutex
	byID map[string]*multipartUpload
}

type multipartUpload struct {
	key   string
	dir   string
	began time.Time

	mu    sync.Mutex // guards parts
	parts map[int]Object
}

// CreateUpload begins a multipart upload.
func (b *Bucket) CreateUpload(_ context.Context, key string) (id string, err error) {
	if err := checkKey(key); err != nil {
		return "", err
	}
	b.uploads.mu.Lock()
	defer b.uploads.mu.Unlock()
	for old, u := range b.uploads.byID {
		if time.Since(u.began) > uploadLifetime {
			delete(b.uploads.byID, old)
			if err := b.root.RemoveAll(u.dir); err != nil {
				return "", fmt.Errorf("removing an old upload: %w", err)
			}
		}
	}
	if len(b.uploads.byID) >= maxUploads {
		return "", newError(SlowDown, "%d multipart uploads are in progress", maxUploads)
	}
	id = uuid.NewString()
	u := &multipartUpload{key: key, dir: unfinished + "/" + uploadPrefix + id, began: time.Now(), parts: make(map[int]Object)}
	if err := b.root.Mkdir(u.dir, 0o700); err != nil {
		return "", fmt.Errorf("creating the upload: %w", err)
	}
	if b.uploads.byID == nil {
		b.uploads.byID = make(map[string]*multipartUpload)
	}
	b.uploads.byID[id] = u
	return id, nil
}

func (b *Bucket) upload(key, id string) (*multipartUpload, error) {
	b.uploads.mu.Lock()
	defer b.uploads.mu.Unlock()
	if u := b.uploads.byID[id]; u != nil && u.key == key {
		return u, nil
	}
	return nil, newError(NoSuchUpload, "The specified multipart upload does not exist.")
}

// PutPart writes a part of an upload.
func (b *Bucket) PutPart(_ context.Context, key, id string, number int, write func(io.Writer) error) (Object, error) {
	u, err := b.upload(key, id)
	if err != nil {
		return Object{}, err
	}
	if number < 1 || number > maxParts {
		return Object{}, newError(InvalidArgument, "part %d, want 1 to %d", number, maxParts)
	}
	path := fmt.Sprintf("%s/%s.%05d", u.dir, uuid.NewString(), number)
	err = b.createFile(path, func(w io.Writer) error { return write(&boundedWriter{w, u.room()}) })
	if err != nil {
		return Object{}, fmt.Errorf("writing a part: %w", err)
	}
	info, err := b.root.Lstat(path)
	if err != nil {
		return Object{}, fmt.Errorf("writing a part: %w", err)
	}
	part := describe(path, info)
	u.mu.Lock()
	defer u.mu.Unlock()
	u.parts[number] = part
	return part, nil
}

// room is how many bytes may be added to the upload.
func (u *multipartUpload) room() int64 {
	u.mu.Lock()
	defer u.mu.Unlock()
	left := int64(maxUploadBytes)
	for _, part := range u.parts {
		left -= part.Size
	}
	return left
}

// boundedWriter writes up to left bytes.
type boundedWriter struct {
	io.Writer
	left int64
}

func (w *boundedWriter) Write(p []byte) (int, error) {
	if w.left -= int64(len(p)); w.left < 0 {
		return 0, newError(EntityTooLarge, "a multipart upload may have %d bytes", maxUploadBytes)
	}
	return w.Writer.Write(p)
}

// CompletedPart names a part in CompleteUpload.
type CompletedPart struct {
	Number int
	ETag   string
}

// CompleteUpload makes an object of the parts, if the conditions hold.
func (b *Bucket) CompleteUpload(ctx context.Context, key, id string, parts []CompletedPart, c Conditions) (Object, error) {
	u, err := b.upload(key, id)
	if err != nil {
		return Object{}, err
	}
	paths, err := u.paths(parts)
	if err != nil {
		return Object{}, err
	}
	object, err := b.PutObject(ctx, key, c, func(w io.Writer) error { return b.copyParts(w, paths) })
	if err != nil {
		return Object{}, err
	}
	return object, b.AbortUpload(ctx, key, id)
}

// paths returns the files of parts.
func (u *multipartUpload) paths(parts []CompletedPart) ([]string, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(parts) == 0 {
		return nil, newError(InvalidPart, "an upload has at least one part")
	}
	var paths []string
	for i, p := range parts {
		if i > 0 && p.Number <= parts[i-1].Number {
			return nil, newError(InvalidPartOrder, "The list of parts was not in ascending order.")
		}
		part, ok := u.parts[p.Number]
		if !ok || part.ETag != p.ETag {
			return nil, newError(InvalidPart, "part %d was not uploaded, or has another ETag", p.Number)
		}
		paths = append(paths, part.Key)
	}
	return paths, nil
}

func (b *Bucket) copyParts(w io.Writer, paths []string) error {
	for _, path := range paths {
		file, err := b.root.Open(path)
		if err != nil {
			return err
		}
		_, err = io.Copy(w, file)
		if err := errors.Join(err, file.Close()); err != nil {
			return err
		}
	}
	return nil
}

// AbortUpload removes an upload and its parts.
func (b *Bucket) AbortUpload(_ context.Context, key, id string) error {
	u, err := b.upload(key, id)
	if err != nil {
		return err
	}
	b.uploads.mu.Lock()
	delete(b.uploads.byID, id)
	b.uploads.mu.Unlock()
	if err := b.root.RemoveAll(u.dir); err != nil {
		return fmt.Errorf("removing the upload: %w", err)
	}
	return nil
}
