// Package stream loads streams.json: the list of streams from which the cloud
// is synthesized and which every function reads from its own asset.
package stream

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// Format says how a body becomes bytes of the archive.
type Format string

const (
	// Lines decodes the body's content encoding at the edge and archives the
	// body as a line of its own: its bytes, and "\n" if they do not end in one.
	Lines Format = "lines"
	// Raw archives the bytes as they came, and nothing between two bodies.
	Raw Format = "raw"
)

// Capacity is the capacity mode of a Kinesis stream.
type Capacity string

const (
	// Provisioned gives the stream a fixed number of shards.
	Provisioned Capacity = "provisioned"
	// OnDemand lets Kinesis choose the number of shards.
	OnDemand Capacity = "on-demand"
)

// Compression is how objects of the archive are compressed.
type Compression string

const (
	// Gzip compresses objects; their names end in ".gz".
	Gzip Compression = "gzip"
	// None leaves objects as they are.
	None Compression = "none"
)

// Overflow is what becomes of a record when its stream's backlog is full.
type Overflow string

const (
	// ToArchive writes the record straight to the archive: the tap misses it.
	ToArchive Overflow = "archive"
	// Refuse answers 503, so that the client may try again.
	Refuse Overflow = "refuse"
)

// Stream is an entry of streams.json. In a Set every field has its value:
// defaults are filled in by Parse. The zero value of a field means the default.
type Stream struct {
	// Name is the stream's name in URLs, paths and resource names.
	Name string `json:"name" jsonschema:"pattern=^[a-z0-9][a-z0-9-]{0\\,39}$" jsonschema_description:"Name of the stream in URLs, archive paths and resource names. Unique; not failed or aws."`
	// Format says how a body becomes bytes of the archive. Default lines.
	Format Format `json:"format,omitempty" jsonschema:"enum=lines,enum=raw,default=lines" jsonschema_description:"lines: each body is decoded and archived as a line of its own. raw: the bytes as they came, nothing added."`
	// Capacity is the Kinesis capacity mode. Default provisioned.
	Capacity Capacity `json:"capacity,omitempty" jsonschema:"enum=provisioned,enum=on-demand,default=provisioned" jsonschema_description:"Kinesis capacity mode."`
	// Shards is the number of shards of a provisioned stream. Default 1.
	Shards int `json:"shards,omitempty" jsonschema:"minimum=1,maximum=500,default=1" jsonschema_description:"Number of Kinesis shards; each takes 1 MB/s and 1,000 records/s. Not with on-demand capacity."`
	// RetentionHours is how long Kinesis keeps a record. Default 24.
	RetentionHours int `json:"retentionHours,omitempty" jsonschema:"minimum=24,maximum=8760,default=24" jsonschema_description:"Hours for which the tap and the bridge can read a record."`
	// BufferSeconds is the time after which Firehose writes an object. Default 60.
	BufferSeconds int `json:"bufferSeconds,omitempty" jsonschema:"minimum=1,maximum=900,default=60" jsonschema_description:"Firehose writes an object after this many seconds, or after bufferMiB."`
	// BufferMiB is the size after which Firehose writes an object. Default 64.
	BufferMiB int `json:"bufferMiB,omitempty" jsonschema:"minimum=1,maximum=128,default=64" jsonschema_description:"Firehose writes an object after this many MiB, or after bufferSeconds."`
	// Compression is how objects are compressed. Default gzip for lines, none for raw.
	Compression Compression `json:"compression,omitempty" jsonschema:"enum=gzip,enum=none" jsonschema_description:"Compression of the objects. Default gzip for lines, none for raw."`
	// MaxBacklogMiB bounds the bytes that wait in the queue. Default 0: no bound.
	MaxBacklogMiB int `json:"maxBacklogMiB,omitempty" jsonschema:"minimum=0,maximum=1048576,default=0" jsonschema_description:"Bound on what waits in the queue, in MiB; 0 is no bound. See overflow."`
	// Overflow is what becomes of a record past MaxBacklogMiB. Default archive.
	Overflow Overflow `json:"overflow,omitempty" jsonschema:"enum=archive,enum=refuse,default=archive" jsonschema_description:"Past maxBacklogMiB: archive writes the record straight to the archive, refuse answers 503."`
	// Retired makes POST answer 404 while everything behind it drains.
	Retired bool `json:"retired,omitempty" jsonschema:"default=false" jsonschema_description:"true: POST answers 404 while everything behind it drains; then the entry can be deleted."`
}

// withDefaults is the one place where defaults are applied.
func (s Stream) withDefaults() Stream {
	s.Format = orDefault(s.Format, Lines)
	s.Capacity = orDefault(s.Capacity, Provisioned)
	if s.Capacity == Provisioned {
		s.Shards = orDefault(s.Shards, 1)
	}
	s.RetentionHours = orDefault(s.RetentionHours, 24)
	s.BufferSeconds = orDefault(s.BufferSeconds, 60)
	s.BufferMiB = orDefault(s.BufferMiB, 64)
	compression := Gzip
	if s.Format == Raw {
		compression = None
	}
	s.Compression = orDefault(s.Compression, compression)
	s.Overflow = orDefault(s.Overflow, ToArchive)
	return s
}

func orDefault[T comparable](value, byDefault T) T {
	var zero T
	if value == zero {
		return byDefault
	}
	return value
}

// Suffix is how the names of the stream's objects end: ".gz" or nothing.
func (s Stream) Suffix() string {
	if s.Compression == Gzip {
		return ".gz"
	}
	return ""
}

// Folder is the key prefix of the objects that hold records of time t.
func (s Stream) Folder(t time.Time) string {
	return s.Name + "/" + TimeFolder(t)
}

// TimeFolder is the part of an object's key that names its hour, in UTC.
func TimeFolder(t time.Time) string {
	return t.UTC().Format("dt=2006-01-02/hour=15/")
}

// ResourceName is the name of the stream's Kinesis stream and Firehose in a
// deployment. A full stop joins the two: no name has one, so no two pairs meet.
func ResourceName(deployment, name string) string {
	return deployment + "." + name
}

// Set is the streams of a streams.json. It does not change after Parse and is
// safe for concurrent use.
type Set struct {
	inOrder []Stream
	byName  map[string]Stream
}

// Lookup returns the stream of that name, retired ones included.
func (s *Set) Lookup(name string) (Stream, bool) {
	found, ok := s.byName[name]
	return found, ok
}

// All returns the streams in the order of the file.
func (s *Set) All() []Stream { return slices.Clone(s.inOrder) }

// Names returns the names of all streams, sorted.
func (s *Set) Names() []string { return slices.Sorted(maps.Keys(s.byName)) }

var (
	nameForm       = form{first: lower + digits, most: 40}
	deploymentForm = form{first: lower, most: 20}
	// reserved names are folders of the archive with a meaning of their own.
	reserved = []string{"failed", "aws"}
)

// ValidateDeployment reports what is wrong with a deployment's name, which
// stands in names of AWS resources and in Redis keys.
func ValidateDeployment(name string) error {
	if !deploymentForm.matches(name) {
		return fmt.Errorf("deployment name %q: want %s", name, deploymentForm)
	}
	return nil
}
