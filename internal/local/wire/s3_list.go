package wire

import (
	"encoding/base64"
	"encoding/xml"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/data-sink/data-sink/internal/local/cloud"
)

// maxKeys is the largest page of a listing.
const maxKeys = 1000

func s3Time(t time.Time) string { return t.Format("2006-01-02T15:04:05.000Z") }

// listBucketResult is the answer of ListObjects and ListObjectsV2.
type listBucketResult struct {
	XMLName        xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListBucketResult"`
	Name           string
	Prefix         string
	Delimiter      string `xml:",omitempty"`
	MaxKeys        int
	EncodingType   string `xml:",omitempty"`
	IsTruncated    bool
	Contents       []listedObject
	CommonPrefixes []struct{ Prefix string }

	// Version 1.
	Marker     *string
	NextMarker string `xml:",omitempty"`

	// Version 2.
	KeyCount              *int
	StartAfter            string `xml:",omitempty"`
	ContinuationToken     string `xml:",omitempty"`
	NextContinuationToken string `xml:",omitempty"`
}

type listedObject struct {
	Key          string
	LastModified string
	ETag         string
	Size         int64
	StorageClass string
	Owner        *owner
}

type owner struct{ ID, DisplayName string }

var theOwner = owner{ID: cloud.Account, DisplayName: "datasink"}

// list serves both versions of ListObjects.
func (c *s3Call) list() error {
	options := cloud.ListOptions{Prefix: c.query.Get("prefix"), Delimiter: c.query.Get("delimiter"), Max: maxKeys}
	if text := c.query.Get("max-keys"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			return s3Error("InvalidArgument", "max-keys must be a number of 0 or more")
		}
		options.Max = min(n, maxKeys)
	}
	second := c.query.Get("list-type") == "2"
	if options.After = c.query.Get("marker"); second {
		after, err := decodeToken(c.query.Get("continuation-token"))
		if err != nil {
			return err
		}
		options.After = max(c.query.Get("start-after"), after)
	}
	listing, err := c.List(c.r.Context(), options)
	if err != nil {
		return err
	}
	encode := func(key string) string { return key }
	switch c.query.Get("encoding-type") {
	case "":
	case "url":
		encode = encodeKey
	default:
		return s3Error("InvalidArgument", "Invalid Encoding Method specified in Request")
	}
	out := listBucketResult{
		Name: c.Name(), Prefix: encode(options.Prefix), Delimiter: encode(options.Delimiter), MaxKeys: options.Max,
		EncodingType: c.query.Get("encoding-type"), IsTruncated: listing.Truncated,
	}
	for _, o := range listing.Objects {
		one := listedObject{Key: encode(o.Key), LastModified: s3Time(o.ModifiedAt), ETag: quote(o.ETag), Size: o.Size, StorageClass: "STANDARD"}
		if !second || c.query.Get("fetch-owner") == "true" {
			one.Owner = &theOwner
		}
		out.Contents = append(out.Contents, one)
	}
	for _, p := range listing.Prefixes {
		out.CommonPrefixes = append(out.CommonPrefixes, struct{ Prefix string }{encode(p)})
	}
	if second {
		count := len(listing.Objects) + len(listing.Prefixes)
		out.KeyCount, out.StartAfter, out.ContinuationToken = &count, encode(c.query.Get("start-after")), c.query.Get("continuation-token")
		if listing.Truncated {
			out.NextContinuationToken = base64.URLEncoding.EncodeToString([]byte(listing.Last))
		}
	} else {
		marker := encode(c.query.Get("marker"))
		out.Marker = &marker
		if listing.Truncated {
			out.NextMarker = encode(listing.Last)
		}
	}
	writeXML(c.w, http.StatusOK, out)
	return nil
}

// decodeToken returns the key in a continuation token.
func decodeToken(token string) (string, error) {
	key, err := base64.URLEncoding.DecodeString(token)
	if err != nil {
		return "", s3Error("InvalidArgument", "The continuation token provided is incorrect")
	}
	return string(key), nil
}

// encodeKey encodes a key for encoding-type=url.
func encodeKey(key string) string {
	parts := strings.Split(key, "/")
	for i, p := range parts {
		parts[i] = strings.ReplaceAll(url.QueryEscape(p), "+", "%20")
	}
	return strings.Join(parts, "/")
}

func (s *s3Server) listBuckets(w http.ResponseWriter) {
	type bucket struct{ Name, CreationDate string }
	var out struct {
		XMLName xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListAllMyBucketsResult"`
		Owner   owner
		Buckets struct{ Bucket []bucket }
	}
	out.Owner = theOwner
	for _, b := range s.buckets {
		out.Buckets.Bucket = append(out.Buckets.Bucket, bucket{b.Name(), s3Time(time.Unix(0, 0).UTC())})
	}
	writeXML(w, http.StatusOK, out)
}
