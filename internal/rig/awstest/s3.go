package awstest

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/xml"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// S3 keeps objects as files.
type S3 struct {
	dir     string
	buckets []string
}

func newS3(dir string, buckets []string) *S3 { return &S3{dir: dir, buckets: buckets} }

// Put writes an object, whole or not at all.
func (s *S3) Put(bucket, key string, body []byte) error {
	path, err := s.path(bucket, key)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("putting %s: %w", key, err)
	}
	// Beside the buckets, so that no listing has it.
	f, err := os.CreateTemp(s.dir, "put-*")
	if err != nil {
		return fmt.Errorf("putting %s: %w", key, err)
	}
	_, err = f.Write(body)
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return fmt.Errorf("putting %s: %w", key, err)
	}
	return nil
}

// Open opens an object for reading.
func (s *S3) Open(bucket, key string) (*os.File, error) {
	path, err := s.path(bucket, key)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", key, err)
	}
	return f, nil
}

// Keys returns the keys of a bucket that begin with prefix, sorted.
func (s *S3) Keys(bucket, prefix string) ([]string, error) {
	root := filepath.Join(s.dir, bucket)
	var keys []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || d.IsDir() {
			return err
		}
		key, err := filepath.Rel(root, path)
		if key = filepath.ToSlash(key); strings.HasPrefix(key, prefix) {
			keys = append(keys, key)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listing %s: %w", bucket, err)
	}
	slices.Sort(keys)
	return keys, nil
}

// path refuses what files cannot stand for: keys that lead elsewhere.
func (s *S3) path(bucket, key string) (string, error) {
	if !slices.Contains(s.buckets, bucket) {
		return "", fmt.Errorf("no bucket %s", bucket)
	}
	if !filepath.IsLocal(key) || key != filepath.ToSlash(filepath.Clean(key)) {
		return "", fmt.Errorf("key %q cannot be a file", key)
	}
	return filepath.Join(s.dir, bucket, filepath.FromSlash(key)), nil
}

// xmlError is an error of S3.
type xmlError struct {
	status        int
	code, message string
}

func (e xmlError) write(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(e.status)
	_ = xml.NewEncoder(w).Encode(struct {
		XMLName xml.Name `xml:"Error"`
		Code    string
		Message string
	}{Code: e.code, Message: e.message})
}

// read reads a call in path style.
func (s *S3) read(r *http.Request) operation {
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	op := operation{call: Call{Service: ServiceS3, Resource: bucket + "/" + key}, fail: xmlError{http.StatusInternalServerError, "InternalError", "injected"}.write}
	answer := func(answer func(http.ResponseWriter)) {
		op.effect = func(func() bool) (int, func(http.ResponseWriter)) { return 0, answer }
	}
	switch {
	case !slices.Contains(s.buckets, bucket):
		answer(xmlError{http.StatusNotFound, "NoSuchBucket", "no bucket " + bucket}.write)
	case r.Method == http.MethodPut && key != "":
		op.call.Operation, op.call.Records = "PutObject", 1
		s.readPutObject(r, &op, bucket, key)
	case r.Method == http.MethodHead && key == "":
		op.call.Operation = "HeadBucket"
		answer(func(w http.ResponseWriter) { w.WriteHeader(http.StatusOK) })
	case r.Method == http.MethodGet && key == "" && r.URL.Query().Get("list-type") == "2":
		op.call.Operation = "ListObjectsV2"
		answer(func(w http.ResponseWriter) { s.list(w, r, bucket) })
	case (r.Method == http.MethodGet || r.Method == http.MethodHead) && key != "":
		op.call.Operation = "GetObject"
		answer(func(w http.ResponseWriter) { s.get(w, r, bucket, key) })
	default:
		answer(xmlError{http.StatusNotImplemented, "NotImplemented", r.Method}.write)
	}
	return op
}

func (s *S3) readPutObject(r *http.Request, op *operation, bucket, key string) {
	refuse := func(e xmlError) {
		op.effect = func(func() bool) (int, func(http.ResponseWriter)) { return 0, e.write }
	}
	if strings.HasPrefix(r.Header.Get("X-Amz-Content-Sha256"), "STREAMING-") {
		refuse(xmlError{http.StatusNotImplemented, "NotImplemented", "a body in chunks"})
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		refuse(xmlError{http.StatusBadRequest, "IncompleteBody", err.Error()})
		return
	}
	if want := r.Header.Get("X-Amz-Checksum-Crc32"); want != "" {
		sum := base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(body)))
		if sum != want {
			refuse(xmlError{http.StatusBadRequest, "BadDigest", "the checksum is " + sum})
			return
		}
	}
	op.effect = func(func() bool) (int, func(http.ResponseWriter)) {
		if err := s.Put(bucket, key, body); err != nil {
			return 0, xmlError{http.StatusInternalServerError, "InternalError", err.Error()}.write
		}
		return 1, func(w http.ResponseWriter) { w.Header().Set("ETag", `"1"`); w.WriteHeader(http.StatusOK) }
	}
}

func (s *S3) get(w http.ResponseWriter, r *http.Request, bucket, key string) {
	f, err := s.Open(bucket, key)
	if err != nil {
		xmlError{http.StatusNotFound, "NoSuchKey", key}.write(w)
		return
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil || info.IsDir() {
		xmlError{http.StatusNotFound, "NoSuchKey", key}.write(w)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("ETag", `"1"`)
	http.ServeContent(w, r, "", info.ModTime(), f)
}

// listing is a page of keys.
type listing struct {
	XMLName               xml.Name `xml:"ListBucketResult"`
	Name                  string
	Prefix                string
	KeyCount, MaxKeys     int
	IsTruncated           bool
	NextContinuationToken string `xml:",omitempty"`
	Contents              []listed
}

type listed struct {
	Key, LastModified, ETag string
	Size                    int64
}

// list answers with one page; a continuation token is the last key before it.
func (s *S3) list(w http.ResponseWriter, r *http.Request, bucket string) {
	q := r.URL.Query()
	page := listing{Name: bucket, Prefix: q.Get("prefix"), MaxKeys: 1000}
	if n, err := strconv.Atoi(q.Get("max-keys")); err == nil && n >= 0 {
		page.MaxKeys = min(n, page.MaxKeys)
	}
	keys, err := s.Keys(bucket, page.Prefix)
	if err != nil {
		xmlError{http.StatusInternalServerError, "InternalError", err.Error()}.write(w)
		return
	}
	after := max(q.Get("start-after"), q.Get("continuation-token"))
	for _, key := range keys {
		if key <= after {
			continue
		}
		if len(page.Contents) == page.MaxKeys {
			page.IsTruncated = true
			if page.MaxKeys > 0 {
				page.NextContinuationToken = page.Contents[len(page.Contents)-1].Key
			}
			break
		}
		info, err := os.Stat(filepath.Join(s.dir, bucket, filepath.FromSlash(key)))
		if err != nil {
			continue // replaced or removed meanwhile
		}
		page.Contents = append(page.Contents, listed{Key: key, Size: info.Size(), ETag: `"1"`, LastModified: info.ModTime().UTC().Format("2006-01-02T15:04:05.000Z")})
	}
	page.KeyCount = len(page.Contents)
	w.Header().Set("Content-Type", "application/xml")
	_ = xml.NewEncoder(w).Encode(page)
}
