package main

import (
	"fmt"
	"os"

	"github.com/data-sink/data-sink/internal/operate/streamsfile"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// streamsVerbs are the verbs of datasink streams.
type streamsVerbs struct {
	Ls     streamsLsVerb     `cmd:"" help:"List the streams of streams.json with their settings."`
	Add    streamsAddVerb    `cmd:"" help:"Add a stream to streams.json."`
	Retire streamsRetireVerb `cmd:"" help:"Retire a stream in streams.json."`
}

type streamsLsVerb struct {
	JSON bool `name:"json" group:"output" help:"Print a JSON array with an object for each stream."`
	streamsFile
}

// Help shows with datasink streams ls --help.
func (*streamsLsVerb) Help() string {
	return `Examples:

  datasink streams ls
  datasink streams ls --json | jq -r '.[] | select(.retired) | .name'`
}

// Run lists the streams with their defaults, in the order of the file.
func (v *streamsLsVerb) Run(c console) error {
	set, err := loadStreams(v.Streams)
	if err != nil {
		return err
	}
	if v.JSON {
		return printJSON(c.out, set.All())
	}
	var rows [][]string
	for _, s := range set.All() {
		capacity, retention := string(s.Capacity), fmt.Sprintf("%d h", s.RetentionHours)
		switch {
		case !s.HasTap():
			capacity, retention = "no tap", "-"
		case s.Capacity == stream.Provisioned:
			capacity = counted(s.Shards, "shard")
		}
		if s.Tap == stream.TapEnding {
			capacity += ", ending"
		}
		state := "active"
		if s.Retired {
			state = "retired"
		}
		rows = append(rows, []string{
			s.Name, state, string(s.Format), capacity, retention,
			fmt.Sprintf("%d s, %d MiB", s.BufferSeconds, s.BufferMiB), string(s.Compression),
		})
	}
	return printTable(c.out, []string{"STREAM", "STATE", "FORMAT", "CAPACITY", "RETENTION", "BUFFER", "COMPRESSION"}, rows)
}

// localReads says what a change of the file does on a local pipeline.
const localReads = "A local pipeline that uses this file reads it within a second.\n"

type streamsRetireVerb struct {
	Stream string `arg:"" name:"name" complete:"stream" help:"Name of the stream."`
	File   string `name:"streams" default:"streams.json" type:"path" help:"File to edit."`
}

// Help shows with datasink streams retire --help.
func (*streamsRetireVerb) Help() string {
	return `The command sets "retired": true in the entry of the stream. After the next deploy POST
answers 404 for the stream, and the pipeline delivers what it has. A local pipeline that
uses the file reads it within a second. When status shows an
empty queue, no claim and no lag, and verify --tap finds no difference, delete the
entry and deploy again.

Examples:

  datasink streams retire page-views`
}

// Run retires a stream.
func (v *streamsRetireVerb) Run(c console) error {
	content, err := os.ReadFile(v.File)
	if err != nil {
		return usageError{err}
	}
	retired, err := streamsfile.Retire(content, v.Stream)
	if err != nil {
		return usage("%s: %w", v.File, err)
	}
	if err := streamsfile.Write(v.File, retired); err != nil {
		return err
	}
	fmt.Fprintf(c.out, "%s is retired in %s. After a deploy (make deploy) POST answers 404 for it.\n%s", v.Stream, v.File, localReads)
	return nil
}

type streamsAddVerb struct {
	Stream         string `arg:"" name:"name" help:"Name of the new stream."`
	Format         string `help:"lines or raw. Defaults to lines."`
	NoTap          bool   `help:"Give the stream no Kinesis stream: its records go to Firehose without a tap."`
	Capacity       string `help:"provisioned or on-demand. Defaults to provisioned."`
	Shards         int    `help:"Number of shards of a provisioned stream. Defaults to 1."`
	RetentionHours int    `help:"Hours for which the tap keeps a record. Defaults to 24."`
	BufferSeconds  int    `help:"Seconds after which Firehose writes an object. Defaults to 60."`
	BufferMiB      int    `name:"buffer-mib" help:"MiB after which Firehose writes an object. Defaults to 64."`
	Compression    string `help:"gzip or none. Defaults to gzip for lines and none for raw."`
	Extension      string `help:"End of the objects' names, such as .json.gz. Defaults to .gz with compression gzip, otherwise to no extension."`
	MaxBacklogMiB  int    `name:"max-backlog-mib" help:"Maximum backlog in Redis, in MiB. Defaults to no maximum."`
	Overflow       string `help:"archive or refuse. Defaults to archive."`
	DryRun         bool   `help:"Show the result without writing the file."`
	Name           string `default:"datasink" help:"Name of the deployment."`
	File           string `name:"streams" default:"streams.json" type:"path" help:"File to edit."`
	JSON           bool   `name:"json" group:"output" help:"Print the new stream, with its defaults, as JSON."`
}

// Help shows with datasink streams add --help.
func (*streamsAddVerb) Help() string {
	return `The new entry goes after the last one and has the same formatting; the rest of the
file does not change. If the result would not be valid, the file is not written.

Examples:

  datasink streams add clicks --capacity on-demand
  datasink streams add audit --no-tap
  datasink streams add legacy --format raw --dry-run`
}

// Run adds a stream.
func (v *streamsAddVerb) Run(c console) error {
	added := stream.Stream{
		Name: v.Stream, Format: stream.Format(v.Format), Capacity: stream.Capacity(v.Capacity), Shards: v.Shards, RetentionHours: v.RetentionHours,
		BufferSeconds: v.BufferSeconds, BufferMiB: v.BufferMiB, Compression: stream.Compression(v.Compression), Extension: v.Extension,
		MaxBacklogMiB: v.MaxBacklogMiB, Overflow: stream.Overflow(v.Overflow),
	}
	if v.NoTap {
		added.Tap = stream.TapOff
	}
	content, err := os.ReadFile(v.File)
	if err != nil {
		return usageError{err}
	}
	content, err = streamsfile.Add(content, added)
	if err != nil {
		return usage("%s: %w", v.File, err)
	}
	set, err := stream.Parse(content)
	if err != nil {
		return err
	}
	if !v.DryRun {
		if err := streamsfile.Write(v.File, content); err != nil {
			return err
		}
		fmt.Fprintf(c.err, "datasink: added %s to %s\n", v.Stream, v.File)
	}
	s, _ := set.Lookup(v.Stream)
	if v.JSON {
		return printJSON(c.out, s)
	}
	return v.print(c, s)
}

// print lists the resources that a deploy adds.
func (v *streamsAddVerb) print(c console, s stream.Stream) error {
	resource := stream.ResourceName(v.Name, s.Name)
	shards := fmt.Sprintf("%s, %d records/s and %d MB/s", counted(s.Shards, "shard"), 1000*s.Shards, s.Shards)
	if s.Capacity == stream.OnDemand {
		shards = "on demand"
	}
	fmt.Fprintf(c.out, "The next deploy (make deploy) adds:\n")
	rows := [][]string{
		{"  nested stack", s.Name, "contains the resources below"},
		{"  Firehose stream", resource, fmt.Sprintf("writes an object every %d s or %d MiB, compression %s", s.BufferSeconds, s.BufferMiB, s.Compression)},
	}
	if s.HasTap() {
		rows = append(rows,
			[]string{"  Kinesis stream", resource, fmt.Sprintf("%s, retention %d h", shards, s.RetentionHours)},
			[]string{"  event source mapping", resource, "to " + v.Name + "-bridge"})
	}
	err := printTable(c.out, []string{"  RESOURCE", "NAME", ""}, rows)
	if !v.DryRun {
		fmt.Fprint(c.out, localReads)
	}
	fmt.Fprintf(c.out, "Clients send to POST /archives/%s; the objects are under %s/.\n", s.Name, s.Name)
	return err
}
