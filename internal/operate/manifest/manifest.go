// Package manifest writes lists of the objects of complete hours:
//
//	_manifests/<stream>/dt=YYYY-MM-DD/hour=HH.json         in the form that Redshift's COPY reads
//	_manifests/<stream>/dt=YYYY-MM-DD/hour=HH.txt          one S3 URI a line
//	_manifests/<stream>/dt=YYYY-MM-DD/hour=HH.late-1.json  objects that were written later, and so on
//
// The hour is the hour of the objects' folder. A manifest promises that no object
// is added to the hour except by another manifest. It does not promise that all
// records that were sent in the hour are in its objects: a record can be archived
// in a later hour.
//
// A manifest is never rewritten, and each object is in one manifest. If two
// processes write at once, one of them wins, and the next run adds what is missing.
package manifest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/data-sink/data-sink/internal/operate/bucket"
)

// Folder is the folder of all manifests, at the root of the bucket.
const Folder = "_manifests/"

// Manifest is the content of a manifest.
type Manifest struct {
	Entries []Entry `json:"entries"`
	Meta    Meta    `json:"meta"`
	Author  Author  `json:"author"`
	// Stream is the stream's name, and Hour the beginning of the hour.
	Stream string    `json:"stream"`
	Hour   time.Time `json:"hour"`
	// VerifiedAt is when the hour was verified.
	VerifiedAt time.Time `json:"verified"`
}

// Entry is one object.
type Entry struct {
	URL       string `json:"url"`
	Mandatory bool   `json:"mandatory"`
	Meta      Meta   `json:"meta"`
}

// Meta describes an object, or all objects of a manifest.
type Meta struct {
	// ContentLength is the size in bytes, as stored.
	ContentLength int64 `json:"content_length"`
	// RecordCount is the number of lines, which is what SQL engines count as rows. A
	// raw stream has none.
	RecordCount *int64 `json:"record_count,omitempty"`
	// Bodies is the number of records that were sent. A body can have several lines.
	Bodies int64 `json:"bodies"`
	// SHA256 is the hash of the object, as stored, in hexadecimal digits.
	SHA256 string `json:"sha256,omitempty"`
	// FirstLoggedAt and LastLoggedAt bound the times at which the bridge or ingest
	// logged the records.
	FirstLoggedAt time.Time `json:"first_logged_at,omitzero"`
	LastLoggedAt  time.Time `json:"last_logged_at,omitzero"`
}

// Author is the program that wrote a manifest, with the version of its format.
type Author struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// Object is an object to list, by its key.
type Object struct {
	Key string
	Meta
}

// Hour is what the manifests of one hour of a stream list.
type Hour struct {
	// Exists reports whether the hour has a manifest.
	Exists bool
	// Keys are the keys of the objects in the manifests.
	Keys map[string]bool
	// late is the number of manifests of late objects.
	late int
}

// Store writes objects.
type Store interface {
	// Create writes an object, unless an object with the key exists.
	Create(ctx context.Context, key string, body []byte) error
}

// Archive is the bucket with the objects and their manifests.
type Archive struct {
	Bucket *bucket.Bucket
	Store  Store
	// Now is the clock. Default time.Now.
	Now func() time.Time
}

func name(stream string, hour time.Time, late int) string {
	n := Folder + stream + hour.UTC().Format("/dt=2006-01-02/hour=15")
	if late > 0 {
		n += ".late-" + strconv.Itoa(late)
	}
	return n
}

var form = regexp.MustCompile(`^hour=([0-9]{2})(?:\.late-([1-9][0-9]*))?\.(json|txt)$`)

// Hours reads the manifests of a stream for the days that a period touches. A
// manifest without its list of URIs, of a process that was killed, gets one.
func (a *Archive) Hours(ctx context.Context, stream string, from, to time.Time) (map[time.Time]Hour, error) {
	hours := make(map[time.Time]Hour)
	for day := from.UTC().Truncate(24 * time.Hour); day.Before(to); day = day.Add(24 * time.Hour) {
		manifests, lists := make(map[string]time.Time), make(map[string]bool)
		for o, err := range a.Bucket.List(ctx, Folder+stream+day.Format("/dt=2006-01-02/")) {
			if err != nil {
				return nil, err
			}
			part := form.FindStringSubmatch(path.Base(o.Key))
			if part == nil {
				continue
			}
			if part[3] == "txt" {
				lists[strings.TrimSuffix(o.Key, ".txt")] = true
				continue
			}
			n, err := strconv.Atoi(part[1])
			if err != nil || n > 23 {
				continue
			}
			hour := day.Add(time.Duration(n) * time.Hour)
			manifests[strings.TrimSuffix(o.Key, ".json")] = hour
			h := hours[hour]
			h.Exists = h.Exists || part[2] == ""
			if late, err := strconv.Atoi(part[2]); err == nil {
				h.late = max(h.late, late)
			}
			hours[hour] = h
		}
		for key, hour := range manifests {
			m, err := a.read(ctx, key+".json")
			if err != nil {
				return nil, err
			}
			if !lists[key] {
				if err := a.putList(ctx, key, m); err != nil {
					return nil, err
				}
			}
			h := hours[hour]
			if h.Keys == nil {
				h.Keys = make(map[string]bool)
			}
			for _, e := range m.Entries {
				h.Keys[strings.TrimPrefix(e.URL, a.url(""))] = true
			}
			hours[hour] = h
		}
	}
	return hours, nil
}

func (a *Archive) url(key string) string { return "s3://" + a.Bucket.Name() + "/" + key }

func (a *Archive) read(ctx context.Context, key string) (Manifest, error) {
	var m Manifest
	r, err := a.Bucket.Open(ctx, key)
	if err != nil {
		return m, err
	}
	defer func() { _ = r.Close() }()
	content, err := io.ReadAll(r)
	if err == nil {
		err = json.Unmarshal(content, &m)
	}
	if err != nil {
		return m, fmt.Errorf("reading manifest %s: %w", key, err)
	}
	return m, nil
}

// Write writes a manifest of the objects of an hour that are in none yet. It writes
// nothing if there are no such objects and the hour has a manifest. hour is the
// state of Hours. It reports whether it wrote a manifest.
func (a *Archive) Write(ctx context.Context, stream string, at time.Time, hour Hour, objects []Object) (bool, error) {
	objects = slices.DeleteFunc(slices.Clone(objects), func(o Object) bool { return hour.Keys[o.Key] })
	key := name(stream, at, 0)
	if hour.Exists {
		if len(objects) == 0 {
			return false, nil
		}
		key = name(stream, at, hour.late+1)
	}
	m := a.manifest(stream, at, objects)
	var content bytes.Buffer
	e := json.NewEncoder(&content)
	e.SetEscapeHTML(false)
	if err := e.Encode(m); err != nil {
		return false, fmt.Errorf("encoding manifest %s: %w", key, err)
	}
	if err := a.Store.Create(ctx, key+".json", content.Bytes()); err != nil {
		return false, fmt.Errorf("writing manifest %s: %w", key, err)
	}
	// Another process may have been first: its manifest counts.
	m, err := a.read(ctx, key+".json")
	if err != nil {
		return false, err
	}
	return true, a.putList(ctx, key, m)
}

func (a *Archive) manifest(stream string, at time.Time, objects []Object) Manifest {
	now := time.Now
	if a.Now != nil {
		now = a.Now
	}
	m := Manifest{
		Entries: []Entry{}, Author: Author{Name: "Data Sink", Version: "1"}, Stream: stream, Hour: at.UTC(), VerifiedAt: now().UTC().Truncate(time.Second),
	}
	for _, o := range objects {
		m.Entries = append(m.Entries, Entry{URL: a.url(o.Key), Mandatory: true, Meta: o.Meta})
		m.Meta.add(o.Meta)
	}
	slices.SortFunc(m.Entries, func(a, b Entry) int { return strings.Compare(a.URL, b.URL) })
	return m
}

// add adds the description of an object to the description of all.
func (m *Meta) add(o Meta) {
	m.ContentLength += o.ContentLength
	m.Bodies += o.Bodies
	if o.RecordCount != nil {
		if m.RecordCount == nil {
			m.RecordCount = new(int64)
		}
		*m.RecordCount += *o.RecordCount
	}
	if m.FirstLoggedAt.IsZero() || !o.FirstLoggedAt.IsZero() && o.FirstLoggedAt.Before(m.FirstLoggedAt) {
		m.FirstLoggedAt = o.FirstLoggedAt
	}
	if o.LastLoggedAt.After(m.LastLoggedAt) {
		m.LastLoggedAt = o.LastLoggedAt
	}
}

// putList writes the list of URIs beside a manifest.
func (a *Archive) putList(ctx context.Context, key string, m Manifest) error {
	var list bytes.Buffer
	for _, e := range m.Entries {
		fmt.Fprintln(&list, e.URL)
	}
	if err := a.Store.Create(ctx, key+".txt", list.Bytes()); err != nil {
		return fmt.Errorf("writing list %s: %w", key, err)
	}
	return nil
}
