package wire

import (
	"bufio"
	"crypto/md5"
	"crypto/sha1" // #nosec G505 -- S3 has a checksum of this kind.
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// maxObjectBytes is the largest body of one PUT.
const maxObjectBytes = 5 << 30

// upload is the body of PutObject or UploadPart, with the checksums that the
// client sent before the body or after it.
type upload struct {
	body    io.Reader
	length  int64 // -1: not known
	header  http.Header
	trailer func() http.Header // after the body was read
}

// newUpload returns the body of a request.
func newUpload(r *http.Request) (*upload, error) {
	u := &upload{body: r.Body, length: r.ContentLength, header: r.Header, trailer: func() http.Header { return nil }}
	if strings.HasPrefix(r.Header.Get("X-Amz-Content-Sha256"), "STREAMING-") {
		chunks := &chunkReader{r: bufio.NewReaderSize(r.Body, 64<<10)}
		u.body, u.trailer, u.length = chunks, func() http.Header { return chunks.trailer }, -1
		if text := r.Header.Get("X-Amz-Decoded-Content-Length"); text != "" {
			n, err := strconv.ParseInt(text, 10, 64)
			if err != nil || n < 0 {
				return nil, s3Error("InvalidArgument", "x-amz-decoded-content-length must be a number")
			}
			u.length = n
		}
	}
	if u.length > maxObjectBytes {
		return nil, s3Error("EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")
	}
	return u, nil
}

var castagnoli, nvme = crc32.MakeTable(crc32.Castagnoli), crc64.MakeTable(0x9a6c9329ac4bc9b5)

// checksums are the hashes that clients send, by header.
var checksums = map[string]func() hash.Hash{
	"Content-Md5":              md5.New,
	"X-Amz-Checksum-Crc32":     func() hash.Hash { return crc32.NewIEEE() },
	"X-Amz-Checksum-Crc32c":    func() hash.Hash { return crc32.New(castagnoli) },
	"X-Amz-Checksum-Crc64nvme": func() hash.Hash { return crc64.New(nvme) },
	"X-Amz-Checksum-Sha1":      sha1.New,
	"X-Amz-Checksum-Sha256":    sha256.New,
}

// copyTo writes the body and checks its length and its checksums.
func (u *upload) copyTo(w io.Writer) error {
	expected := u.header.Get("X-Amz-Trailer")
	sums := make(map[string]hash.Hash)
	writers := []io.Writer{w}
	for name, newHash := range checksums {
		if u.header.Get(name) != "" || strings.Contains(strings.ToLower(expected), strings.ToLower(name)) {
			sums[name] = newHash()
			writers = append(writers, sums[name])
		}
	}
	plain := sha256.New()
	signed := u.header.Get("X-Amz-Content-Sha256")
	if len(signed) == 2*sha256.Size {
		writers = append(writers, plain)
	}
	n, err := io.Copy(io.MultiWriter(writers...), io.LimitReader(u.body, maxObjectBytes))
	if err != nil {
		return incomplete(err)
	}
	if u.length >= 0 && n != u.length {
		return s3Error("IncompleteBody", "You did not provide the number of bytes specified by the Content-Length HTTP header.")
	}
	if len(signed) == 2*sha256.Size && hex.EncodeToString(plain.Sum(nil)) != signed {
		return s3Error("XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' header does not match what was computed.")
	}
	trailer := u.trailer()
	for name, sum := range sums {
		want := u.header.Get(name)
		if want == "" {
			want = trailer.Get(name)
		}
		if got := base64.StdEncoding.EncodeToString(sum.Sum(nil)); got != want {
			return s3Error("BadDigest", "The "+name+" you specified did not match what we received.")
		}
	}
	return nil
}

func incomplete(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return s3Error("IncompleteBody", "The body ended before its announced end.")
	}
	return err
}

// chunkReader decodes the content encoding aws-chunked. It does not check the
// signatures of chunks.
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html
type chunkReader struct {
	r       *bufio.Reader
	left    int64 // of the current chunk
	begun   bool
	ended   bool
	trailer http.Header
}

// Read reads from the chunks.
func (c *chunkReader) Read(p []byte) (int, error) {
	for c.left == 0 {
		if c.ended {
			return 0, io.EOF
		}
		if err := c.next(); err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return 0, err
		}
	}
	if int64(len(p)) > c.left {
		p = p[:c.left]
	}
	n, err := c.r.Read(p)
	c.left -= int64(n)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// next reads the header of the next chunk and, after the last chunk, the trailer.
func (c *chunkReader) next() error {
	if c.begun { // the end of the line after the chunk before
		if line, err := c.readLine(); err != nil || line != "" {
			return errors.Join(err, malformedChunk())
		}
	}
	c.begun = true
	line, err := c.readLine()
	if err != nil {
		return err
	}
	size, _, _ := strings.Cut(line, ";")
	n, err := strconv.ParseInt(strings.TrimSpace(size), 16, 64)
	if err != nil || n < 0 {
		return malformedChunk()
	}
	if c.left = n; n > 0 {
		return nil
	}
	c.ended = true
	return c.readTrailer()
}

// readTrailer reads the checksums after the last chunk, up to an empty line or the end
// of the body.
func (c *chunkReader) readTrailer() error {
	c.trailer = make(http.Header)
	for {
		line, err := c.readLine()
		if errors.Is(err, io.EOF) || err == nil && line == "" {
			return nil
		}
		if err != nil {
			return err
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return s3Error("MalformedTrailerError", "The request contained trailing data that was not well-formed.")
		}
		if name = http.CanonicalHeaderKey(strings.TrimSpace(name)); checksums[name] != nil {
			c.trailer.Set(name, strings.TrimSpace(value))
		}
	}
}

// readLine reads a line, which must fit into the buffer, and returns it without its end.
func (c *chunkReader) readLine() (string, error) {
	line, err := c.r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		return "", malformedChunk()
	}
	return strings.TrimRight(string(line), "\r\n"), err
}

func malformedChunk() error {
	return s3Error("InvalidRequest", "The body is not in the format aws-chunked.")
}
