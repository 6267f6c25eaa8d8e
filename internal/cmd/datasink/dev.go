package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/data-sink/data-sink/internal/local"
	"github.com/data-sink/data-sink/internal/local/page"
	"github.com/data-sink/data-sink/internal/pipeline/ingest"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// devMemory is the soft memory limit in bytes. The pipeline holds a bounded number
// of records at a time; the limit also bounds the garbage.
const devMemory = 100 << 20

// defaultAWSAddr is the default of --aws-addr, defaultUser that of --user.
const defaultAWSAddr, defaultUser = "127.0.0.1:8082", "datasink"

type devVerb struct {
	Addr        string        `default:"127.0.0.1:8080" help:"Address of the HTTP API."`
	Data        string        `default:".datasink" env:"DATASINK_DATA" type:"path" help:"Folder for the archive and the records on the way to it."`
	Streams     string        `default:"streams.json" type:"path" help:"The streams.json to use."`
	RedisURL    string        `name:"redis-url" help:"Redis to use, such as redis://host:6379. By default an embedded Redis holds the records in memory."`
	Flush       time.Duration `default:"2s" help:"Time for which Firehose buffers records before it writes an object."`
	Clients     string        `type:"path" help:"File with the clients, the document of the clients' secret on AWS. By default clients.json in the data folder, made with one client and a random password. datasink credentials edits it."`
	User        string        `help:"Name of the client. Defaults to datasink, or to the first client of the file."`
	Password    string        `env:"DATASINK_PASSWORD" help:"Password of the client, which is kept in the file of the clients. Defaults to the password in the file."`
	S3Addr      string        `name:"s3-addr" default:"127.0.0.1:8081" help:"Address of the archive's S3 API; empty for none."`
	AWSAddr     string        `name:"aws-addr" default:"127.0.0.1:8082" help:"Address of the Kinesis API, for consumers of the tap; empty for none. If the default is in use, another port is chosen."`
	PageAddr    string        `name:"page-addr" help:"Address of the live page. By default the page is served at --addr if that is a loopback address."`
	Operator    string        `name:"operator-addr" default:"127.0.0.1:0" help:"Loopback address that serves the other verbs; empty for none."`
	AccessKey   string        `name:"access-key" env:"DATASINK_ACCESS_KEY" help:"Access key that must have signed requests to the S3 and Kinesis APIs. Needed if one of them has an address that is not a loopback address."`
	SecretKey   string        `name:"secret-key" env:"DATASINK_SECRET_KEY" help:"Secret key of --access-key."`
	CORSOrigins []string      `name:"cors-origins" help:"Origins whose web pages may post, as the setting corsOrigins."`
	Throttle    bool          `help:"Let Kinesis refuse more than 1,000 records or 1 MiB a second for each shard, as AWS does."`
	Verbose     bool          `help:"Log successful operations too."`
}

// Help shows with datasink dev --help.
func (v *devVerb) Help() string {
	return `The command prints a curl line that sends a record, and the path of the archived
record. When streams.json changes, for example by datasink streams add, the pipeline
uses the new streams within a second.

After SIGINT or SIGTERM the command exits when every accepted record is in the
archive. A second signal, at least a second later, ends it immediately with exit code
1. The records in the embedded Redis are then lost; all other records are delivered
after the next start with the same folder.

Examples:

  datasink dev
  datasink dev --addr 127.0.0.1:9000 --flush 10s --throttle
  datasink dev --redis-url redis://127.0.0.1:6379 --data /var/tmp/datasink`
}

// Run runs the pipeline until a signal arrives.
func (v *devVerb) Run(ctx context.Context, c console) error {
	if err := v.check(); err != nil {
		return err
	}
	streams, err := loadStreams(v.Streams)
	if err != nil {
		return err
	}
	loaded := fileVersionOf(v.Streams)
	if err := local.MakeData(v.Data); err != nil {
		return err
	}
	client, err := v.openClients()
	if err != nil {
		return err
	}
	v.User, v.Password = client.user, client.password
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(devMemory)
	}
	level := slog.LevelWarn
	if v.Verbose {
		level = slog.LevelInfo
	}
	alive := context.WithoutCancel(ctx) // A signal must not end what delivers the accepted records.
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)

	file := newLogFile(v.Data)
	defer func() { _ = file.Close() }() // The lines are written.
	log := slog.New(slog.NewMultiHandler(
		slog.NewTextHandler(c.err, &slog.HandlerOptions{Level: level}),
		slog.NewJSONHandler(file, nil),
	))
	live := page.New(page.Options{Data: v.Data, User: v.User, Password: v.Password, PublicAddr: v.PageAddr, Log: log})
	observe := live.Observers()
	if isTerminal(c.out) {
		events := &devEvents{out: c.out, now: time.Now}
		count := observe.Ingest
		observe.Ingest = func(o ingest.Outcome) { count(o); events.accepted(o) }
		observe.Written = events.written
	}
	pipeline, err := local.Start(alive, local.Options{
		Streams: streams, Data: v.Data, Addr: v.Addr, S3Addr: v.S3Addr, OperatorAddr: v.Operator, RedisURL: v.RedisURL,
		AWSAddr: v.AWSAddr, AWSAddrOptional: v.AWSAddr == defaultAWSAddr, AccessKey: v.AccessKey, SecretKey: v.SecretKey, CORSOrigins: v.CORSOrigins,
		PageAddr: v.PageAddr, User: v.User, Password: v.Password, Clients: client.read, ClientsFile: client.path, Ready: client.write, Flush: v.Flush, Throttle: v.Throttle,
		Seams: live.Seams(), Observe: observe, Log: log,
	})
	if err != nil {
		return err
	}
	watch, unwatch := context.WithCancel(alive)
	defer unwatch()
	go live.Run(watch)
	go v.reload(watch, c, pipeline, loaded)
	v.announce(c, pipeline, streams)

	select {
	case <-signals:
	case <-ctx.Done():
	}
	fmt.Fprintln(c.err, "datasink: stopping when every accepted record is in the archive; interrupt again to stop now")
	go exitOnSecond(signals, time.Now(), c)
	unwatch()
	live.Heal() // An injected fault would keep records from the archive.
	if err := pipeline.Stop(alive); err != nil {
		return fmt.Errorf("stopping: %w", err)
	}
	if lost := live.Lost(); lost > 0 {
		fmt.Fprintf(c.err, "datasink: Redis has lost %d accepted records; all others are in the archive\n", lost)
		return nil
	}
	fmt.Fprintln(c.err, "datasink: every accepted record is in the archive")
	return nil
}

// check reports wrong arguments before anything is opened.
func (v *devVerb) check() error {
	if v.Flush <= 0 {
		return usage("--flush=%v: want more than 0", v.Flush)
	}
	if strings.Contains(v.User, ":") {
		return usage("--user=%q: want a name without a colon", v.User)
	}
	for flag, address := range map[string]string{"addr": v.Addr, "s3-addr": v.S3Addr, "aws-addr": v.AWSAddr, "page-addr": v.PageAddr, "operator-addr": v.Operator} {
		if address == "" && flag != "addr" {
			continue
		}
		if _, _, err := net.SplitHostPort(address); err != nil {
			return usage("--%s=%q: want host:port", flag, address)
		}
	}
	if v.RedisURL != "" {
		if u, err := url.Parse(v.RedisURL); err != nil || u.Scheme != "redis" && u.Scheme != "rediss" || u.Host == "" {
			return usage("--redis-url: want redis://host:port or rediss://host:port")
		}
	}
	return checkFile(v.Streams)
}

// sameSignal is the time after the first signal in which further signals count as
// the same: the terminal signals the process group, and make signals its child again.
const sameSignal = time.Second

// exitOnSecond ends the process at the second signal.
func exitOnSecond(signals <-chan os.Signal, first time.Time, c console) {
	for range signals {
		if time.Since(first) > sameSignal {
			fmt.Fprintln(c.err, "datasink: stopped immediately")
			os.Exit(exitFailed)
		}
	}
}

// announce prints the addresses and the commands to try next.
func (v *devVerb) announce(c console, p *local.Pipeline, streams *stream.Set) {
	url := "http://" + reachable(p.Addr())
	redis := "embedded, in memory"
	if v.RedisURL != "" {
		redis = "the one of --redis-url"
	}
	folder := shortest(filepath.Join(v.Data, "archive"))
	var text bytes.Buffer
	fmt.Fprintf(&text, "HTTP API  %s/archives/{stream}\n", url)
	switch {
	case p.PageAddr() != nil:
		fmt.Fprintf(&text, "live page http://%s/\n", reachable(p.PageAddr()))
	case page.IsServed(p.Addr()):
		fmt.Fprintf(&text, "live page %s/\n", url)
	default:
		fmt.Fprintln(&text, "live page none: --addr is not a loopback address; --page-addr serves the page")
	}
	user := quoted(v.User + ":" + v.Password)
	if v.Password == "" { // The file of clients has only its hash. curl asks for the password.
		user = quoted(v.User)
		fmt.Fprintf(&text, "client    %s, whose password is stored as a hash; --password sets a new one\n", v.User)
	} else {
		fmt.Fprintf(&text, "client    %s, password %s\n", v.User, v.Password)
	}
	fmt.Fprintf(&text, "streams   %s\n", strings.Join(streams.Names(), ", "))
	fmt.Fprintf(&text, "Redis     %s\n", redis)
	fmt.Fprintf(&text, "archive   %s\n", folder)
	if p.S3Addr() != nil {
		fmt.Fprintf(&text, "S3 API    http://%s, bucket %s\n", reachable(p.S3Addr()), local.ArchiveBucket)
	}
	if p.AWSAddr() != nil {
		fmt.Fprintf(&text, "Kinesis   http://%s\n", reachable(p.AWSAddr()))
	}
	for _, s := range streams.All() {
		if s.Retired {
			continue
		}
		read := "cat"
		if s.HasGzipNames() {
			read = "gunzip -c"
		}
		fmt.Fprintf(&text, "\nSend a record:\n\n  curl -u %s -d '{\"hello\":\"world\"}' %s/archives/%s\n", user, url, s.Name)
		fmt.Fprintf(&text, "\nand read it, %v later:\n\n  %s %s\n\n", v.Flush+time.Second, read, quoted(folder)+"/"+s.Name+"/dt=*/hour=*/*"+quoted(s.Suffix()))
		break
	}
	_, _ = c.out.Write(text.Bytes()) // In one write, so that a reader of the first line has all lines.
}

// reachable returns the address by which a client on this machine connects to a.
func reachable(a net.Addr) string {
	tcp, ok := a.(*net.TCPAddr)
	if ok && tcp.IP.IsUnspecified() {
		return fmt.Sprintf("127.0.0.1:%d", tcp.Port)
	}
	return a.String()
}

// shortest returns path, or the path relative to the working directory if that is
// shorter.
func shortest(path string) string {
	here, err := os.Getwd()
	if err != nil {
		return path
	}
	relative, err := filepath.Rel(here, path)
	if err != nil || len(relative) >= len(path) {
		return path
	}
	return relative
}

// quoted returns a word as a shell reads it.
func quoted(word string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune(":_-./", r)
	}
	if strings.IndexFunc(word, func(r rune) bool { return !plain(r) }) < 0 {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
