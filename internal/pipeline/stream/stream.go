// Package stream loads streams.json, the list of streams. The CDK app synthesizes
// the stack from it, and every function reads it from its own asset.
package stream

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Format is the way in which bodies are stored in the archive.
type Format string

const (
	// Lines means that ingest decodes the body's content encoding, and that the
	// archive holds the body followed by "\n", unless the body ends in "\n".
	Lines Format = "lines"
	// Raw means that the archive holds the bytes exactly as received, with nothing
	// between two bodies.
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

// Compression is the compression of the archive's objects.
type Compression string

const (
	// Gzip means that objects are compressed and that their names end in gzipSuffix.
	Gzip Compression = "gzip"
	// None means that objects are not compressed.
	None Compression = "none"
)

// Overflow is the handling of records while the stream's backlog is full.
type Overflow string

const (
	// ToArchive means that such a record becomes a direct record, which the tap
	// misses.
	ToArchive Overflow = "archive"
	// Refuse means that the answer is 503, so that the client can retry.
	Refuse Overflow = "refuse"
)

// Stream is an entry of streams.json. The zero value of a field means its default.
// In a Set, Parse has replaced zero values by the defaults.
type Stream struct {
	// Name is the stream's name in URLs, paths and resource names.
	Name string `json:"name" jsonschema:"pattern=^[a-z0-9][a-z0-9-]{0\\,39}$" jsonschema_description:"Name of the stream in URLs, archive paths and resource names. Unique; not failed or aws."`
	// Format is the way in which bodies are stored in the archive. Default lines.
	Format Format `json:"format,omitempty" jsonschema:"enum=lines,enum=raw,default=lines" jsonschema_description:"lines: each body is decoded and archived as a separate line. raw: the bytes are archived exactly as received."`
	// Tap says whether the stream has a Kinesis stream. Default TapOn.
	Tap Tap `json:"tap,omitempty" jsonschema_description:"false: no Kinesis stream; the drainer puts to Firehose itself. ending: the same, but what is in the Kinesis stream is still delivered."`
	// Capacity is the Kinesis capacity mode. Default provisioned. A stream without a
	// tap has none.
	Capacity Capacity `json:"capacity,omitempty" jsonschema:"enum=provisioned,enum=on-demand,default=provisioned" jsonschema_description:"Kinesis capacity mode."`
	// Shards is the number of shards of a provisioned stream. Default 1. A stream
	// without a tap has 0.
	Shards int `json:"shards,omitempty" jsonschema:"minimum=1,maximum=500,default=1" jsonschema_description:"Number of Kinesis shards; each takes 1 MB/s and 1,000 records/s. Not with on-demand capacity."`
	// RetentionHours is the time for which Kinesis keeps a record. Default 24. A
	// stream without a tap has 0.
	RetentionHours int `json:"retentionHours,omitempty" jsonschema:"minimum=24,maximum=8760,default=24" jsonschema_description:"Hours for which the tap and the bridge can read a record."`
	// BufferSeconds is the time after which Firehose writes an object. Default 60.
	BufferSeconds int `json:"bufferSeconds,omitempty" jsonschema:"minimum=1,maximum=900,default=60" jsonschema_description:"Firehose writes an object after this many seconds, or after bufferMiB."`
	// BufferMiB is the size after which Firehose writes an object. Default 64.
	BufferMiB int `json:"bufferMiB,omitempty" jsonschema:"minimum=1,maximum=128,default=64" jsonschema_description:"Firehose writes an object after this many MiB, or after bufferSeconds."`
	// Compression is the compression of the objects. Default gzip for lines, none
	// for raw.
	Compression Compression `json:"compression,omitempty" jsonschema:"enum=gzip,enum=none" jsonschema_description:"Compression of the objects. Default gzip for lines, none for raw."`
	// Extension ends the names of the objects. The default is ".gz" with the
	// compression gzip, and no extension without it.
	Extension string `json:"extension,omitempty" jsonschema:"pattern=^[.][0-9a-z!_.*'()-]+$,maxLength=128" jsonschema_description:"End of the objects' names, such as .json.gz. With gzip compression it ends in .gz, the default. Use .gz for a raw stream of gzip bodies."`
	// MaxBacklogMiB bounds the backlog in Redis. Default 0: no bound.
	MaxBacklogMiB int `json:"maxBacklogMiB,omitempty" jsonschema:"minimum=0,maximum=1048576,default=0" jsonschema_description:"Bound on the backlog in Redis, in MiB; 0 is no bound. See overflow."`
	// Overflow is the handling of records over MaxBacklogMiB. Default archive.
	Overflow Overflow `json:"overflow,omitempty" jsonschema:"enum=archive,enum=refuse,default=archive" jsonschema_description:"Over maxBacklogMiB: archive writes direct records, which the tap misses; refuse answers 503."`
	// Columns are the columns that SQL queries read from JSON bodies. Default none.
	Columns []Column `json:"columns,omitempty" jsonschema_description:"Columns that datasink sql reads from JSON bodies: a list of objects with name, pointer and type. The archive does not depend on it."`
	// Retired means that POST answers 404 while the backlog drains.
	Retired bool `json:"retired,omitempty" jsonschema:"default=false" jsonschema_description:"true: POST answers 404 while the backlog drains; after that the entry can be deleted."`
}

// withDefaults returns s with its defaults. No other code applies defaults.
func (s Stream) withDefaults() Stream {
	s.Format = cmp.Or(s.Format, Lines)
	s.Tap = cmp.Or(s.Tap, TapOn)
	if s.HasTap() {
		s.Capacity = cmp.Or(s.Capacity, Provisioned)
		s.RetentionHours = cmp.Or(s.RetentionHours, 24)
	}
	if s.Capacity == Provisioned {
		s.Shards = cmp.Or(s.Shards, 1)
	}
	s.BufferSeconds = cmp.Or(s.BufferSeconds, 60)
	s.BufferMiB = cmp.Or(s.BufferMiB, 64)
	compression := Gzip
	if s.Format == Raw {
		compression = None
	}
	s.Compression = cmp.Or(s.Compression, compression)
	s.Overflow = cmp.Or(s.Overflow, ToArchive)
	return s
}

// gzipSuffix is the end of a name by which readers know a gzip file.
const gzipSuffix = ".gz"

// Suffix returns the end of the names of the stream's objects: its extension, or by
// default ".gz" if they are compressed and nothing if they are not.
func (s Stream) Suffix() string {
	if s.Extension == "" && s.Compression == Gzip {
		return gzipSuffix
	}
	return s.Extension
}

// HasGzipNames reports whether the names of the stream's objects end in ".gz".
func (s Stream) HasGzipNames() bool { return strings.HasSuffix(s.Suffix(), gzipSuffix) }

// HoldsGzip reports whether the bodies themselves are gzip members: the names of the
// objects end in ".gz", but the archive does not compress them. Decompression of such
// an object would not yield its bodies.
func (s Stream) HoldsGzip() bool { return s.HasGzipNames() && s.Compression != Gzip }

// Folder returns the key prefix of the objects with the records of t's UTC hour.
func (s Stream) Folder(t time.Time) string {
	return s.Name + "/" + TimeFolder(t)
}

// TimeFolder returns the part of an object's key that names t's UTC hour.
func TimeFolder(t time.Time) string {
	return t.UTC().Format("dt=2006-01-02/hour=15/")
}

// ResourceName returns the name of the stream's Kinesis stream and delivery stream
// in a deployment. Neither name contains the full stop that joins them, so each
// pair has a different resource name.
func ResourceName(deployment, name string) string {
	return deployment + "." + name
}

// Set is the list of streams of a streams.json. It does not change after Parse and
// is safe for concurrent use.
type Set struct {
	inOrder []Stream
	byName  map[string]Stream
}

// Lookup returns the stream of that name, which can be retired.
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
	// reserved are the names of the archive's other folders.
	reserved = []string{"failed", "aws"}
)

// ValidateDeployment returns an error if name is not a valid name of a deployment.
// The name is part of the names of AWS resources and of Redis keys.
func ValidateDeployment(name string) error {
	if !deploymentForm.matches(name) {
		return fmt.Errorf("deployment name %q: want %s", name, deploymentForm)
	}
	return nil
}
