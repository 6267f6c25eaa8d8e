package cloud

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// call is a call of S3 with the object of a key.
func (b *Bucket) call(operation, key string) Call {
	return Call{Service: ServiceS3, Operation: operation, Resource: b.name + "/" + key}
}

// GetObject opens an object for reading. The caller closes the file.
func (b *Bucket) GetObject(ctx context.Context, key string) (file *os.File, object Object, err error) {
	err = b.faults.call(ctx, b.call("GetObject", key), func(func() bool) (int, error) {
		// The file is opened before it is described: a write may replace the object.
		if _, err := b.stat(key); err != nil {
			return 0, err
		}
		f, err := b.objects.Open(filepath.FromSlash(key))
		if errors.Is(err, fs.ErrNotExist) {
			return 0, newError(NoSuchKey, "The specified key does not exist.")
		}
		if err != nil {
			return 0, err
		}
		info, err := f.Stat()
		if err != nil {
			return 0, errors.Join(err, f.Close())
		}
		file, object = f, describe(key, info)
		return 0, nil
	})
	if err != nil {
		return nil, Object{}, fmt.Errorf("reading %s: %w", key, err)
	}
	return file, object, nil
}

// HeadObject describes an object.
func (b *Bucket) HeadObject(ctx context.Context, key string) (Object, error) {
	return query(ctx, b.faults, b.call("HeadObject", key), func() (Object, error) { return b.stat(key) })
}

// HeadBucket is a call without an effect.
func (b *Bucket) HeadBucket(ctx context.Context) error {
	return b.faults.call(ctx, b.call("HeadBucket", ""), func(func() bool) (int, error) { return 0, nil })
}

// DeleteObject removes an object. It succeeds when there is none.
func (b *Bucket) DeleteObject(ctx context.Context, key string) error {
	return b.faults.call(ctx, b.call("DeleteObject", key), func(func() bool) (int, error) {
		b.commit.Lock()
		defer b.commit.Unlock()
		if _, err := b.stat(key); isCode(err, NoSuchKey) {
			return 0, nil
		} else if err != nil {
			return 0, err
		}
		return 0, b.objects.Remove(filepath.FromSlash(key))
	})
}

// ListOptions choose the page of a listing.
type ListOptions struct {
	Prefix, Delimiter string
	// After is the key or common prefix after which the page begins.
	After string
	// Max bounds the keys and common prefixes of the page.
	Max int
}

// Listing is a page of keys in the order of their bytes.
type Listing struct {
	Objects  []Object
	Prefixes []string
	// Truncated says that there are more; Last is the After of the next page.
	Truncated bool
	Last      string
}

// List lists objects.
func (b *Bucket) List(ctx context.Context, o ListOptions) (Listing, error) {
	return query(ctx, b.faults, b.call("ListObjects", o.Prefix), func() (Listing, error) { return b.list(o) })
}

func (b *Bucket) list(o ListOptions) (Listing, error) {
	keys, err := b.Keys(o.Prefix)
	if err != nil {
		return Listing{}, err
	}
	var l Listing
	for _, key := range keys {
		name, common := key, false
		if o.Delimiter != "" {
			if i := strings.Index(key[len(o.Prefix):], o.Delimiter); i >= 0 {
				name, common = key[:len(o.Prefix)+i+len(o.Delimiter)], true
			}
		}
		// A common prefix after which the page begins hides all of its keys.
		if key <= o.After || name == o.After || common && name == l.Last {
			continue
		}
		if len(l.Objects)+len(l.Prefixes) == o.Max {
			l.Truncated = o.Max > 0
			break
		}
		if common {
			l.Prefixes = append(l.Prefixes, name)
		} else {
			object, err := b.stat(key)
			if isCode(err, NoSuchKey) {
				continue // It was removed meanwhile.
			}
			if err != nil {
				return Listing{}, err
			}
			l.Objects = append(l.Objects, object)
		}
		l.Last = name
	}
	return l, nil
}

// Keys returns all keys with a prefix, sorted by their bytes.
func (b *Bucket) Keys(prefix string) ([]string, error) {
	start := "."
	if i := strings.LastIndexByte(prefix, '/'); i > 0 { // Only the folder of the prefix is walked.
		if checkKey(prefix[:i]) != nil {
			return nil, nil
		}
		start = prefix[:i]
	}
	var keys []string
	err := fs.WalkDir(b.objects.FS(), start, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) || b.isNoPath(path, err) {
			return nil
		}
		if err != nil {
			return err
		}
		if entry.Type().IsRegular() && strings.HasPrefix(path, prefix) {
			keys = append(keys, path)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("listing %s: %w", b.name, err)
	}
	slices.Sort(keys)
	return keys, nil
}
