package cloud

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/google/uuid"
)

// unfinished is the folder of objects that are being written.
const unfinished = "unfinished"

// Bucket is an S3 bucket of plain files, one for each object. Objects appear
// completely or not at all: they are written in another folder and then renamed.
// Keys and links never lead out of the bucket's folder. It is safe for concurrent
// use.
type Bucket struct {
	name    string
	root    *os.Root // has the folders dir and unfinished
	dir     string
	objects *os.Root // the folder dir
	faults  *Faults
	uploads multipartUploads

	commit sync.Mutex // is held from the check of a condition to the rename
	stamp  time.Time  // of the last write; guarded by commit
}

var _ archive.Store = (*Bucket)(nil)

// OpenBucket opens the bucket whose objects are in the folder dir of root. It
// removes the unfinished objects of a process that was killed. Faults may be nil.
func OpenBucket(name string, root *os.Root, dir string, faults *Faults) (*Bucket, error) {
	b := &Bucket{name: name, root: root, dir: dir, faults: faults}
	if err := errors.Join(root.MkdirAll(dir, 0o700), root.MkdirAll(unfinished, 0o700)); err != nil {
		return nil, fmt.Errorf("opening the bucket %s: %w", name, err)
	}
	left, err := fs.ReadDir(root.FS(), unfinished)
	if err != nil {
		return nil, fmt.Errorf("opening the bucket %s: %w", name, err)
	}
	for _, e := range left {
		if strings.HasPrefix(e.Name(), objectPrefix) || strings.HasPrefix(e.Name(), uploadPrefix) {
			if err := root.RemoveAll(unfinished + "/" + e.Name()); err != nil {
				return nil, fmt.Errorf("opening the bucket %s: %w", name, err)
			}
		}
	}
	if b.objects, err = root.OpenRoot(dir); err != nil {
		return nil, fmt.Errorf("opening the bucket %s: %w", name, err)
	}
	return b, nil
}

// objectPrefix and uploadPrefix begin the names of unfinished objects and of
// multipart uploads.
const objectPrefix, uploadPrefix = "object-", "upload-"

// Name is the bucket's name.
func (b *Bucket) Name() string { return b.name }

// Object describes an object.
type Object struct {
	Key        string
	Size       int64
	ModifiedAt time.Time
	// ETag changes with each write. Like the ETag of an object that was uploaded in
	// parts, it is not an MD5. It has no quotes.
	ETag string
}

func describe(key string, info fs.FileInfo) Object {
	return Object{
		Key: key, Size: info.Size(), ModifiedAt: info.ModTime().UTC(),
		ETag: fmt.Sprintf("%016x%016x-1", info.ModTime().UnixNano(), info.Size()),
	}
}

// Conditions bound a write. Empty conditions always hold.
type Conditions struct {
	// IfNoneMatch is "*": there must be no object with the key.
	IfNoneMatch string
	// IfMatch is the ETag that the object with the key must have.
	IfMatch string
}

// hold returns the error of a condition that does not hold. The caller holds
// commit.
func (b *Bucket) hold(key string, c Conditions) error {
	if c == (Conditions{}) {
		return nil
	}
	object, err := b.stat(key)
	missing := isCode(err, NoSuchKey)
	switch {
	case err != nil && !missing:
		return err
	case c.IfMatch != "" && missing:
		return err
	case c.IfMatch != "" && c.IfMatch != object.ETag, c.IfNoneMatch != "" && !missing:
		return newError(PreconditionFailed, "At least one of the pre-conditions you specified did not hold")
	}
	return nil
}

// Put writes one object.
func (b *Bucket) Put(ctx context.Context, key string, body []byte) error {
	_, err := b.PutObject(ctx, key, Conditions{}, writeBytes(body))
	return err
}

// Create writes one object unless there is one with its key. Of several calls at
// once, exactly one writes.
func (b *Bucket) Create(ctx context.Context, key string, body []byte) error {
	_, err := b.PutObject(ctx, key, Conditions{IfNoneMatch: "*"}, writeBytes(body))
	if isCode(err, PreconditionFailed) {
		return nil
	}
	return err
}

// Write writes one object with the bytes that write writes. The object is not
// written when write fails or ctx ends before.
func (b *Bucket) Write(ctx context.Context, key string, write func(io.Writer) error) error {
	_, err := b.PutObject(ctx, key, Conditions{}, write)
	return err
}

func writeBytes(body []byte) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := w.Write(body)
		return err
	}
}

// PutObject writes one object with the bytes that write writes, if the conditions
// hold. They are checked and the object appears in one step.
func (b *Bucket) PutObject(ctx context.Context, key string, c Conditions, write func(io.Writer) error) (object Object, err error) {
	call := b.call("PutObject", key)
	call.Records = 1
	err = b.faults.call(ctx, call, func(func() bool) (int, error) {
		if object, err = b.write(ctx, key, c, write); err != nil {
			return 0, err
		}
		return 1, nil
	})
	if err != nil {
		return Object{}, fmt.Errorf("writing %s: %w", key, err)
	}
	return object, nil
}

func (b *Bucket) write(ctx context.Context, key string, c Conditions, write func(io.Writer) error) (Object, error) {
	if err := ctx.Err(); err != nil {
		return Object{}, err
	}
	if err := checkKey(key); err != nil {
		return Object{}, err
	}
	temporary := unfinished + "/" + objectPrefix + uuid.NewString()
	if err := b.createFile(temporary, write); err != nil {
		return Object{}, err
	}
	err := ctx.Err()
	if err == nil {
		err = b.move(temporary, key, c)
	}
	if err != nil {
		return Object{}, errors.Join(err, b.root.Remove(temporary))
	}
	return b.stat(key)
}

// createFile makes a file with the bytes that write writes. It removes the file when
// write fails.
func (b *Bucket) createFile(path string, write func(io.Writer) error) error {
	file, err := b.root.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(write(file), file.Close()); err != nil {
		return errors.Join(err, b.root.Remove(path))
	}
	return nil
}

// move makes a file the object of a key if the conditions hold.
func (b *Bucket) move(temporary, key string, c Conditions) error {
	path := filepath.FromSlash(key)
	// The folder is made within the bucket's folder, so that no link leads out.
	if dir := filepath.Dir(path); dir != "." {
		if err := b.objects.MkdirAll(dir, 0o700); err != nil {
			return b.keyError(key, err)
		}
	}
	b.commit.Lock()
	defer b.commit.Unlock()
	if err := b.hold(key, c); err != nil {
		return err
	}
	// The clock of the file system is coarse. An ETag needs a time of its own.
	if now := time.Now(); now.After(b.stamp) {
		b.stamp = now
	} else {
		b.stamp = b.stamp.Add(time.Nanosecond)
	}
	if err := b.root.Chtimes(temporary, b.stamp, b.stamp); err != nil {
		return err
	}
	return b.keyError(key, b.root.Rename(temporary, filepath.Join(b.dir, path)))
}

// keyError returns err, or an InvalidArgument if isNoPath.
func (b *Bucket) keyError(key string, err error) error {
	if b.isNoPath(key, err) {
		return newError(InvalidArgument, "the key is too long for a file name, or is a folder of another key")
	}
	return err
}

// Check writes a file and removes it.
func (b *Bucket) Check(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("checking the bucket: %w", err)
	}
	path := unfinished + "/" + objectPrefix + uuid.NewString()
	if err := errors.Join(b.root.WriteFile(path, []byte("x"), 0o600), b.root.Remove(path)); err != nil {
		return fmt.Errorf("checking the bucket: %w", err)
	}
	return nil
}

// checkKey refuses a key that is not a plain path below the bucket's folder.
func checkKey(key string) error {
	local := filepath.FromSlash(key)
	if !filepath.IsLocal(local) || filepath.Clean(local) != local || strings.ContainsRune(key, 0) || local == "." {
		return newError(InvalidArgument, "the key cannot be a file name")
	}
	return nil
}

// stat describes an object. Only plain files are objects.
func (b *Bucket) stat(key string) (Object, error) {
	missing := newError(NoSuchKey, "The specified key does not exist.")
	if checkKey(key) != nil {
		return Object{}, missing
	}
	info, err := b.objects.Lstat(filepath.FromSlash(key))
	switch {
	case err == nil && info.Mode().IsRegular():
		return describe(key, info), nil
	case err == nil, errors.Is(err, fs.ErrNotExist), b.isNoPath(key, err):
		return Object{}, missing
	}
	return Object{}, err
}

// isNoPath reports whether err, of a call with the file of key, means that there can
// be no such file: a part of its path is too long, an object or a link, or the file is
// a folder.
func (b *Bucket) isNoPath(key string, err error) bool {
	for _, reason := range []error{syscall.ENOTDIR, syscall.EISDIR, syscall.EEXIST, syscall.ENOTEMPTY, syscall.ENAMETOOLONG} {
		if errors.Is(err, reason) {
			return true
		}
	}
	return err != nil && b.hasLink(filepath.FromSlash(key))
}

// hasLink reports whether a file or one of the folders above it is a link. os.Root has
// no error of its own for a link that leads out.
func (b *Bucket) hasLink(path string) bool {
	for ; path != "."; path = filepath.Dir(path) {
		if info, err := b.objects.Lstat(path); err == nil && info.Mode()&fs.ModeSymlink != 0 {
			return true
		}
	}
	return false
}

func isCode(err error, code string) bool {
	var e *Error
	return errors.As(err, &e) && e.Code == code
}
