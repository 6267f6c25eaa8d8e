package wire

import (
	"cmp"
	"encoding/xml"
	"errors"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/data-sink/data-sink/internal/local/cloud"
	"github.com/google/uuid"
)

// s3Server serves buckets over the S3 API. It keeps no metadata of objects: all
// have the type application/octet-stream.
type s3Server struct{ buckets []*cloud.Bucket }

// s3Call is one request to a bucket.
type s3Call struct {
	*cloud.Bucket
	w     http.ResponseWriter
	r     *http.Request
	query url.Values
	key   string
}

func s3Error(code, message string) error { return &cloud.Error{Code: code, Message: message} }

// serve serves one request. It returns cloud.ErrReset when the connection must be reset without an answer.
func (s *s3Server) serve(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("X-Amz-Request-Id", uuid.NewString())
	err := s.call(w, r)
	switch {
	case err == nil:
	case errors.Is(err, cloud.ErrReset):
		return cloud.ErrReset
	default:
		writeS3Error(w, r, err)
	}
	return nil
}

// s3Statuses are the statuses of errors that are not cloud's.
var s3Statuses = map[string]int{
	"AccessDenied": http.StatusForbidden, "MethodNotAllowed": http.StatusMethodNotAllowed, "NotImplemented": http.StatusNotImplemented,
	"InvalidRange": http.StatusRequestedRangeNotSatisfiable, "BucketAlreadyOwnedByYou": http.StatusConflict,
	"NotModified": http.StatusNotModified,
}

// s3Codes are the codes of S3 for those codes of cloud that S3 does not have.
var s3Codes = map[string]string{cloud.InternalFailure: "InternalError", cloud.InvalidArgument: "InvalidArgument"}

// s3Code is the code of S3 for an error.
func s3Code(e *cloud.Error) string { return cmp.Or(s3Codes[e.Code], e.Code) }

func writeS3Error(w http.ResponseWriter, r *http.Request, err error) {
	e := cloud.AsError(err)
	status, ok := s3Statuses[e.Code]
	if !ok {
		status = e.Status()
	}
	if status == http.StatusNotModified || r.Method == http.MethodHead {
		w.WriteHeader(status)
		return
	}
	writeXML(w, status, struct {
		XMLName   xml.Name `xml:"Error"`
		Code      string
		Message   string
		Resource  string
		RequestID string `xml:"RequestId"`
	}{Code: s3Code(e), Message: e.Message, Resource: r.URL.Path, RequestID: w.Header().Get("X-Amz-Request-Id")})
}

func writeXML(w http.ResponseWriter, status int, answer any) {
	body, err := xml.Marshal(answer)
	if err != nil {
		panic(err) // Answers consist of strings and numbers.
	}
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	_, _ = w.Write(append([]byte(xml.Header), body...)) // The caller may have disconnected.
}

// call finds the bucket and carries out the call.
func (s *s3Server) call(w http.ResponseWriter, r *http.Request) error {
	name, key := s.address(r)
	if name == "" {
		if r.Method != http.MethodGet {
			return s3Error("MethodNotAllowed", "The specified method is not allowed against this resource.")
		}
		s.listBuckets(w)
		return nil
	}
	i := slices.IndexFunc(s.buckets, func(b *cloud.Bucket) bool { return b.Name() == name })
	if i < 0 {
		return s3Error(cloud.NoSuchBucket, "The specified bucket does not exist")
	}
	c := &s3Call{Bucket: s.buckets[i], w: w, r: r, query: r.URL.Query(), key: key}
	if err := c.checkQuery(); err != nil {
		return err
	}
	if key == "" {
		return c.bucket()
	}
	return c.object()
}

// address returns the bucket and the key of a request: from the host name, if that
// begins with a bucket's name, or from the path.
func (s *s3Server) address(r *http.Request) (bucket, key string) {
	path := strings.TrimPrefix(r.URL.Path, "/")
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	for _, b := range s.buckets {
		if strings.HasPrefix(host, b.Name()+".") {
			return b.Name(), path
		}
	}
	bucket, key, _ = strings.Cut(path, "/")
	return bucket, key
}

// unsupported are subresources that are not served. Without this list a request
// for one would look like a request for an object or for a listing.
var unsupported = []string{
	"acl", "accelerate", "analytics", "attributes", "cors", "encryption", "intelligent-tiering", "inventory", "legal-hold", "lifecycle",
	"logging", "metrics", "notification", "object-lock", "ownershipControls", "policy", "policyStatus", "publicAccessBlock", "replication",
	"requestPayment", "restore", "retention", "select", "tagging", "torrent", "versions", "website",
}

// checkQuery refuses the parameters that are not served. A response must not have
// headers that a caller chooses: a web page could lead a browser to the port.
func (c *s3Call) checkQuery() error {
	for name := range c.query {
		if strings.HasPrefix(name, "response-") {
			return s3Error("InvalidRequest", "Request specific response headers cannot be used here.")
		}
		if slices.Contains(unsupported, name) {
			return s3Error("NotImplemented", "A parameter you provided implies functionality that is not implemented: "+name)
		}
	}
	return nil
}

var errNotImplemented = s3Error("NotImplemented", "This call is not implemented here.")

// bucket carries out a call on the bucket.
func (c *s3Call) bucket() error {
	switch method := c.r.Method; {
	case method == http.MethodHead:
		if err := c.HeadBucket(c.r.Context()); err != nil {
			return err
		}
		c.w.Header().Set("X-Amz-Bucket-Region", cloud.Region)
		c.w.WriteHeader(http.StatusOK)
		return nil
	case method == http.MethodGet && c.query.Has("location"):
		return c.writeDefault("LocationConstraint")
	case method == http.MethodGet && c.query.Has("versioning"):
		return c.writeDefault("VersioningConfiguration")
	case method == http.MethodGet && !c.query.Has("uploads"):
		return c.list()
	case method == http.MethodPost && c.query.Has("delete"):
		return c.deleteObjects()
	case method == http.MethodPut && len(c.query) == 0: // Otherwise it would change a setting of the bucket.
		return s3Error("BucketAlreadyOwnedByYou", "The bucket exists.")
	case method == http.MethodDelete:
		return s3Error("AccessDenied", "The archive cannot be removed.")
	}
	return errNotImplemented
}

// writeDefault writes a setting of the bucket that has its default.
func (c *s3Call) writeDefault(name string) error {
	writeXML(c.w, http.StatusOK, struct{ XMLName xml.Name }{xml.Name{Space: "http://s3.amazonaws.com/doc/2006-03-01/", Local: name}})
	return nil
}

// checkVersion refuses all versions of an object except the only one, which is null.
func checkVersion(id string) error {
	if id != "" && id != "null" {
		return s3Error("InvalidArgument", "Invalid version id specified")
	}
	return nil
}

// object carries out a call on an object.
func (c *s3Call) object() error {
	if err := checkVersion(c.query.Get("versionId")); err != nil {
		return err
	}
	inUpload := c.query.Has("uploadId")
	switch method := c.r.Method; {
	case (method == http.MethodGet || method == http.MethodHead) && !inUpload:
		return c.get()
	case method == http.MethodPut && inUpload:
		return c.putPart()
	case method == http.MethodPut && c.r.Header.Get("X-Amz-Copy-Source") != "":
		return c.copyObject()
	case method == http.MethodPut:
		return c.put()
	case method == http.MethodDelete && inUpload:
		return c.abortUpload()
	case method == http.MethodDelete:
		return c.delete()
	case method == http.MethodPost && c.query.Has("uploads"):
		return c.createUpload()
	case method == http.MethodPost && inUpload:
		return c.completeUpload()
	}
	return errNotImplemented
}

func (c *s3Call) delete() error {
	if err := c.DeleteObject(c.r.Context(), c.key); err != nil {
		return err
	}
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}
