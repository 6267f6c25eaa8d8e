package wire

import (
	"encoding/xml"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/data-sink/data-sink/internal/local/cloud"
)

// maxDeleted bounds the keys of DeleteObjects, maxXMLBytes the body of a call in
// XML.
const (
	maxDeleted  = 1000
	maxXMLBytes = 4 << 20
)

// conditions returns the conditions of a write.
func (c *s3Call) conditions() (cloud.Conditions, error) {
	none := c.r.Header.Get("If-None-Match")
	if none != "" && none != "*" {
		return cloud.Conditions{}, s3Error("NotImplemented", "If-None-Match of a write must be *")
	}
	return cloud.Conditions{IfNoneMatch: none, IfMatch: unquote(c.r.Header.Get("If-Match"))}, nil
}

func (c *s3Call) put() error {
	conditions, err := c.conditions()
	if err != nil {
		return err
	}
	body, err := newUpload(c.r)
	if err != nil {
		return err
	}
	object, err := c.PutObject(c.r.Context(), c.key, conditions, body.copyTo)
	if err != nil {
		return err
	}
	c.w.Header().Set("ETag", quote(object.ETag))
	c.w.WriteHeader(http.StatusOK)
	return nil
}

// copyObject copies an object of the same bucket.
func (c *s3Call) copyObject() error {
	source, err := url.PathUnescape(strings.TrimPrefix(c.r.Header.Get("X-Amz-Copy-Source"), "/"))
	if err != nil {
		return s3Error("InvalidArgument", "x-amz-copy-source is malformed")
	}
	bucket, key, _ := strings.Cut(source, "/")
	if bucket != c.Name() {
		return s3Error(cloud.NoSuchBucket, "The specified bucket does not exist")
	}
	conditions, err := c.conditions()
	if err != nil {
		return err
	}
	file, _, err := c.GetObject(c.r.Context(), key)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // It was only read.
	object, err := c.PutObject(c.r.Context(), c.key, conditions, func(w io.Writer) error {
		_, err := io.Copy(w, file)
		return err
	})
	if err != nil {
		return err
	}
	writeXML(c.w, http.StatusOK, struct {
		XMLName      xml.Name `xml:"CopyObjectResult"`
		ETag         string
		LastModified string
	}{ETag: quote(object.ETag), LastModified: s3Time(object.ModifiedAt)})
	return nil
}

// readXML reads the body of a call.
func (c *s3Call) readXML(into any) error {
	if err := xml.NewDecoder(http.MaxBytesReader(c.w, c.r.Body, maxXMLBytes)).Decode(into); err != nil {
		return s3Error("MalformedXML", "The XML you provided was not well-formed")
	}
	return nil
}

func (c *s3Call) deleteObjects() error {
	var in struct {
		Object []struct {
			Key       string
			VersionID string `xml:"VersionId"`
		}
		Quiet bool
	}
	if err := c.readXML(&in); err != nil {
		return err
	}
	if n := len(in.Object); n < 1 || n > maxDeleted {
		return s3Error("MalformedXML", "A call deletes 1 to 1000 objects.")
	}
	type deleted struct{ Key string }
	type failed struct{ Key, Code, Message string }
	var out struct {
		XMLName xml.Name `xml:"DeleteResult"`
		Deleted []deleted
		Error   []failed
	}
	for _, o := range in.Object {
		err := checkVersion(o.VersionID)
		if err == nil {
			err = c.DeleteObject(c.r.Context(), o.Key)
		}
		switch {
		case err != nil:
			e := cloud.AsError(err)
			out.Error = append(out.Error, failed{o.Key, s3Code(e), e.Message})
		case !in.Quiet:
			out.Deleted = append(out.Deleted, deleted{o.Key})
		}
	}
	writeXML(c.w, http.StatusOK, out)
	return nil
}

func (c *s3Call) createUpload() error {
	id, err := c.CreateUpload(c.r.Context(), c.key)
	if err != nil {
		return err
	}
	writeXML(c.w, http.StatusOK, struct {
		XMLName  xml.Name `xml:"InitiateMultipartUploadResult"`
		Bucket   string
		Key      string
		UploadID string `xml:"UploadId"`
	}{Bucket: c.Name(), Key: c.key, UploadID: id})
	return nil
}

func (c *s3Call) putPart() error {
	number, err := strconv.Atoi(c.query.Get("partNumber"))
	if err != nil {
		return s3Error("InvalidArgument", "partNumber must be a number")
	}
	if c.r.Header.Get("X-Amz-Copy-Source") != "" {
		return s3Error("NotImplemented", "A part cannot be copied here.")
	}
	body, err := newUpload(c.r)
	if err != nil {
		return err
	}
	part, err := c.PutPart(c.r.Context(), c.key, c.query.Get("uploadId"), number, body.copyTo)
	if err != nil {
		return err
	}
	c.w.Header().Set("ETag", quote(part.ETag))
	c.w.WriteHeader(http.StatusOK)
	return nil
}

func (c *s3Call) completeUpload() error {
	var in struct {
		Part []struct {
			PartNumber int
			ETag       string
		}
	}
	if err := c.readXML(&in); err != nil {
		return err
	}
	conditions, err := c.conditions()
	if err != nil {
		return err
	}
	parts := make([]cloud.CompletedPart, len(in.Part))
	for i, p := range in.Part {
		parts[i] = cloud.CompletedPart{Number: p.PartNumber, ETag: unquote(p.ETag)}
	}
	object, err := c.CompleteUpload(c.r.Context(), c.key, c.query.Get("uploadId"), parts, conditions)
	if err != nil {
		return err
	}
	writeXML(c.w, http.StatusOK, struct {
		XMLName xml.Name `xml:"CompleteMultipartUploadResult"`
		Bucket  string
		Key     string
		ETag    string
	}{Bucket: c.Name(), Key: c.key, ETag: quote(object.ETag)})
	return nil
}

func (c *s3Call) abortUpload() error {
	if err := c.AbortUpload(c.r.Context(), c.key, c.query.Get("uploadId")); err != nil {
		return err
	}
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}
