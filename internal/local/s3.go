package local

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3afero"
	"github.com/spf13/afero"
)

// ArchiveBucket is the name of the bucket under which the archive is served.
const ArchiveBucket = "datasink-archive"

// S3 serves the folder over the S3 API, as the bucket ArchiveBucket, to anybody:
// signatures are not checked. Multipart uploads are kept in memory.
func (f *Folder) S3() (http.Handler, error) {
	bucket, err := s3afero.SingleBucket(ArchiveBucket, afero.NewBasePathFs(afero.NewOsFs(), f.root), nil)
	if err != nil {
		return nil, fmt.Errorf("serving the archive: %w", err)
	}
	return gofakes3.New(&bucketBackend{SingleBucketBackend: bucket, folder: f}).Server(), nil
}

// bucketBackend mends what the library's backend lacks: atomic writes, pages,
// and listings of a prefix that nothing has.
type bucketBackend struct {
	*s3afero.SingleBucketBackend
	folder *Folder
}

// PutObject writes as every other part of the pipeline does.
func (b *bucketBackend) PutObject(bucket, key string, meta map[string]string, body io.Reader, size int64, conditions *gofakes3.PutConditions) (gofakes3.PutObjectResult, error) {
	var result gofakes3.PutObjectResult
	switch exists, err := b.BucketExists(bucket); {
	case err != nil:
		return result, err
	case !exists:
		return result, gofakes3.BucketNotFound(bucket)
	}
	if conditions != nil {
		found, err := b.lookup(bucket, key)
		if err != nil {
			return result, err
		}
		if err := gofakes3.CheckPutConditions(conditions, found); err != nil {
			return result, err
		}
	}
	if _, err := b.folder.path(key); err != nil {
		return result, gofakes3.ErrorInvalidArgument("key", key, "cannot be a file")
	}
	return result, b.folder.write(key, func(w io.Writer) error {
		n, err := io.Copy(w, body)
		if err == nil && n < size {
			return gofakes3.ErrIncompleteBody
		}
		return err
	}, os.Rename)
}

func (b *bucketBackend) lookup(bucket, key string) (*gofakes3.ConditionalObjectInfo, error) {
	object, err := b.HeadObject(bucket, key)
	if gofakes3.HasErrorCode(err, gofakes3.ErrNoSuchKey) {
		return &gofakes3.ConditionalObjectInfo{}, nil
	}
	if err != nil {
		return nil, err
	}
	return &gofakes3.ConditionalObjectInfo{Exists: true, Hash: object.Hash}, nil
}

// CopyObject reads and writes by the methods of this type.
func (b *bucketBackend) CopyObject(fromBucket, fromKey, toBucket, toKey string, meta map[string]string) (gofakes3.CopyObjectResult, error) {
	return gofakes3.CopyObject(b, fromBucket, fromKey, toBucket, toKey, meta)
}

// ForceDeleteBucket refuses what would remove the archive.
func (b *bucketBackend) ForceDeleteBucket(string) error { return gofakes3.ErrNotImplemented }

// ListBucket lists the keys in the order of S3, by pages.
func (b *bucketBackend) ListBucket(bucket string, prefix *gofakes3.Prefix, page gofakes3.ListBucketPage) (*gofakes3.ObjectList, error) {
	if exists, err := b.BucketExists(bucket); err != nil {
		return nil, err
	} else if !exists {
		return nil, gofakes3.BucketNotFound(bucket)
	}
	if prefix == nil {
		prefix = &gofakes3.Prefix{}
	}
	keys, err := b.keys(prefix.Prefix)
	if err != nil {
		return nil, err
	}
	list, last := gofakes3.NewObjectList(), ""
	for _, key := range keys {
		name, common := key, false
		if rest := key[len(prefix.Prefix):]; prefix.HasDelimiter {
			if i := strings.Index(rest, prefix.Delimiter); i >= 0 {
				name, common = key[:len(prefix.Prefix)+i+len(prefix.Delimiter)], true
			}
		}
		if name == last || page.HasMarker && (key <= page.Marker || name == page.Marker) {
			continue // A prefix that is listed already, or a page before.
		}
		if page.MaxKeys > 0 && int64(len(list.Contents)+len(list.CommonPrefixes)) == page.MaxKeys {
			list.IsTruncated, list.NextMarker = true, last
			break
		}
		last = name
		if common {
			list.AddPrefix(name)
		} else if err := b.describe(list, bucket, key); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// describe adds an object to a list; one that was removed meanwhile is left out.
func (b *bucketBackend) describe(list *gofakes3.ObjectList, bucket, key string) error {
	info, err := os.Stat(filepath.Join(b.folder.root, filepath.FromSlash(key)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	object, err := b.HeadObject(bucket, key)
	if gofakes3.HasErrorCode(err, gofakes3.ErrNoSuchKey) {
		return nil
	}
	if err != nil {
		return err
	}
	list.Add(&gofakes3.Content{
		Key: key, LastModified: gofakes3.NewContentTime(info.ModTime()),
		ETag: gofakes3.FormatETag(object.Hash), Size: object.Size,
	})
	return nil
}

// keys returns all keys with a prefix, in order.
func (b *bucketBackend) keys(prefix string) ([]string, error) {
	// Only the folder that the prefix names is walked.
	start := b.folder.root
	if i := strings.LastIndexByte(prefix, '/'); i > 0 {
		below, err := b.folder.path(prefix[:i])
		if err != nil {
			return nil, nil //nolint:nilerr // Nothing has a key that cannot be.
		}
		start = below
	}
	var keys []string
	err := filepath.WalkDir(start, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || entry.IsDir() {
			return err
		}
		below, err := filepath.Rel(b.folder.root, path)
		if key := filepath.ToSlash(below); err == nil && strings.HasPrefix(key, prefix) {
			keys = append(keys, key)
		}
		return err
	})
	slices.Sort(keys)
	return keys, err
}
