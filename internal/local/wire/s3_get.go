package wire

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/data-sink/data-sink/internal/local/cloud"
)

// get serves GET and HEAD of an object, with conditions and a range.
func (c *s3Call) get() error {
	if c.r.Method == http.MethodHead {
		object, err := c.HeadObject(c.r.Context(), c.key)
		if err != nil {
			return err
		}
		return c.send(object, nil)
	}
	file, object, err := c.GetObject(c.r.Context(), c.key)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // It was only read.
	return c.send(object, file)
}

// send writes the headers of an object and, if file is not nil, its bytes.
func (c *s3Call) send(object cloud.Object, file io.ReadSeeker) error {
	header := c.w.Header()
	header.Set("ETag", quote(object.ETag))
	header.Set("Last-Modified", object.ModifiedAt.Format(http.TimeFormat))
	if err := checkReadConditions(c.r.Header, object); err != nil {
		return err
	}
	first, length, partial, err := parseRange(c.r.Header.Get("Range"), object.Size)
	if err != nil {
		return err
	}
	header.Set("Accept-Ranges", "bytes")
	header.Set("Content-Length", strconv.FormatInt(length, 10))
	header.Set("Content-Type", "application/octet-stream")
	status := http.StatusOK
	if partial {
		header.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", first, first+length-1, object.Size))
		status = http.StatusPartialContent
	}
	if file != nil {
		if _, err := file.Seek(first, io.SeekStart); err != nil {
			return err
		}
	}
	c.w.WriteHeader(status)
	if file != nil {
		_, _ = io.CopyN(c.w, file, length) // The caller may have disconnected.
	}
	return nil
}

func quote(etag string) string { return `"` + etag + `"` }

// unquote returns an ETag without its quotes.
func unquote(etag string) string { return strings.Trim(strings.TrimSpace(etag), `"`) }

// checkReadConditions checks the conditions in the order of RFC 9110.
func checkReadConditions(header http.Header, object cloud.Object) error {
	failed := s3Error(cloud.PreconditionFailed, "At least one of the pre-conditions you specified did not hold")
	modified := object.ModifiedAt.Truncate(time.Second)
	if match := header.Get("If-Match"); match != "" {
		if !matches(match, object.ETag) {
			return failed
		}
	} else if since, err := http.ParseTime(header.Get("If-Unmodified-Since")); err == nil && modified.After(since) {
		return failed
	}
	if none := header.Get("If-None-Match"); none != "" {
		if matches(none, object.ETag) {
			return s3Error("NotModified", "")
		}
	} else if since, err := http.ParseTime(header.Get("If-Modified-Since")); err == nil && !modified.After(since) {
		return s3Error("NotModified", "")
	}
	return nil
}

// matches reports whether a list of ETags has an ETag.
func matches(list, etag string) bool {
	for one := range strings.SplitSeq(list, ",") {
		if one := unquote(one); one == etag || one == "*" {
			return true
		}
	}
	return false
}

// parseRange returns the part of an object that a Range header asks for. Like S3
// it serves the whole object for a header that is malformed or has many ranges.
func parseRange(header string, size int64) (first, length int64, partial bool, err error) {
	spec, ok := strings.CutPrefix(header, "bytes=")
	from, to, dash := strings.Cut(spec, "-")
	if !ok || !dash || strings.Contains(spec, ",") {
		return 0, size, false, nil
	}
	unsatisfiable := s3Error("InvalidRange", "The requested range is not satisfiable")
	if from == "" { // the last bytes
		n, err := strconv.ParseInt(to, 10, 64)
		if err != nil || n < 0 {
			return 0, size, false, nil
		}
		if n == 0 || size == 0 {
			return 0, 0, false, unsatisfiable
		}
		n = min(n, size)
		return size - n, n, true, nil
	}
	first, err = strconv.ParseInt(from, 10, 64)
	if err != nil || first < 0 {
		return 0, size, false, nil
	}
	last := size - 1
	if to != "" {
		n, err := strconv.ParseInt(to, 10, 64)
		if err != nil || n < first {
			return 0, size, false, nil
		}
		last = min(last, n)
	}
	if first >= size {
		return 0, 0, false, unsatisfiable
	}
	return first, last - first + 1, true, nil
}
