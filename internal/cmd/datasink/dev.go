package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/data-sink/data-sink/internal/local"
	"github.com/data-sink/data-sink/internal/local/page"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// devMemory is where the garbage collector begins to work harder. The pipeline
// holds a bounded number of records at once; this bounds what is left of others.
const devMemory = 100 << 20

type devVerb struct {
	Addr     string        `default:"127.0.0.1:8080" help:"Address of the HTTP API."`
	Data     string        `default:".datasink" type:"path" help:"Folder of the archive and of all that is on its way there."`
	Streams  string        `default:"streams.json" type:"path" help:"The streams.json to use."`
	RedisURL string        `name:"redis-url" help:"Redis to use, as in redis://host:6379; empty for an embedded one, in memory."`
	Flush    time.Duration `default:"2s" help:"How long Firehose collects records for an object."`
	User     string        `default:"datasink" help:"Name of the client."`
	Password string        `env:"DATASINK_PASSWORD" help:"Password of the client; empty for a random one."`
	S3Addr   string        `name:"s3-addr" default:"127.0.0.1:8081" help:"Address of the archive's S3 API; empty for none."`
	Operator string        `name:"operator-addr" default:"127.0.0.1:0" help:"Address that answers the other verbs, on this machine only; empty for none."`
	Throttle bool          `help:"Make Kinesis refuse what is over 1,000 records and 1 MiB a second a shard, as AWS does."`
	Verbose  bool          `help:"Log what goes well, too."`
}

// Help shows with datasink dev --help.
func (v *devVerb) Help() string {
	return `It prints a curl line to send a record with, and where the record lands.

SIGINT or SIGTERM ends it when all that was accepted is in the archive; another
one after a second ends it at once, with exit code 1. What was in the embedded Redis is lost
then; all else goes on with the next start on the same folder.

Examples:

  datasink dev
  datasink dev --addr 127.0.0.1:9000 --flush 10s --throttle
  datasink dev --redis-url redis://127.0.0.1:6379 --data /var/tmp/datasink`
}

// Run runs the pipeline until a signal comes.
func (v *devVerb) Run(ctx context.Context, c console) error {
	if v.Flush <= 0 {
		return fmt.Errorf("--flush=%v: want more than 0", v.Flush)
	}
	streams, err := stream.Load(v.Streams)
	if err != nil {
		return err
	}
	if v.Password == "" {
		v.Password = rand.Text()
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(devMemory)
	}
	level := slog.LevelWarn
	if v.Verbose {
		level = slog.LevelInfo
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)

	log := slog.New(slog.NewTextHandler(c.err, &slog.HandlerOptions{Level: level}))
	live := page.New(page.Options{Streams: streams, Data: v.Data, User: v.User, Password: v.Password, Log: log})
	pipeline, err := local.Start(ctx, local.Options{
		Streams: streams, Data: v.Data, Addr: v.Addr, S3Addr: v.S3Addr, OperatorAddr: v.Operator, RedisURL: v.RedisURL,
		User: v.User, Password: v.Password, Flush: v.Flush, Throttle: v.Throttle,
		Seams: live.Seams(), Log: log,
	})
	if err != nil {
		return err
	}
	watch, unwatch := context.WithCancel(ctx)
	defer unwatch()
	go live.Run(watch)
	v.announce(c, pipeline, streams)

	select {
	case <-signals:
	case <-ctx.Done():
	}
	fmt.Fprintln(c.err, "datasink: stopping when all that was accepted is in the archive; once more to stop now")
	go exitOnSecond(signals, time.Now(), c)
	unwatch()
	live.Heal() // What a fault holds up could not be archived.
	if err := pipeline.Stop(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("stopping: %w", err)
	}
	fmt.Fprintln(c.err, "datasink: all that was accepted is in the archive")
	return nil
}

// sameSignal is how long after the first signal others count as the same one: a
// process group gets it from the terminal, and once more from make.
const sameSignal = time.Second

// exitOnSecond ends the process on the next signal of its own.
func exitOnSecond(signals <-chan os.Signal, first time.Time, c console) {
	for range signals {
		if time.Since(first) > sameSignal {
			fmt.Fprintln(c.err, "datasink: stopped at once")
			os.Exit(exitFailed)
		}
	}
}

// announce prints what listens where and what to type next.
func (v *devVerb) announce(c console, p *local.Pipeline, streams *stream.Set) {
	url := "http://" + reachable(p.Addr())
	redis := "embedded, in memory"
	if v.RedisURL != "" {
		redis = "the one of --redis-url"
	}
	folder := shortest(filepath.Join(v.Data, "archive"))
	var text bytes.Buffer
	fmt.Fprintf(&text, "HTTP API  %s/archives/{stream}\n", url)
	if page.IsServed(p.Addr()) {
		fmt.Fprintf(&text, "live page %s/\n", url)
	} else {
		fmt.Fprintln(&text, "live page none: it is there only when --addr is a loopback address")
	}
	fmt.Fprintf(&text, "client    %s, password %s\n", v.User, v.Password)
	fmt.Fprintf(&text, "streams   %s\n", strings.Join(streams.Names(), ", "))
	fmt.Fprintf(&text, "Redis     %s\n", redis)
	fmt.Fprintf(&text, "archive   %s\n", folder)
	if p.S3Addr() != nil {
		fmt.Fprintf(&text, "S3 API    http://%s, bucket %s\n", reachable(p.S3Addr()), local.ArchiveBucket)
	}
	for _, s := range streams.All() {
		if s.Retired {
			continue
		}
		read := "cat"
		if s.Compression == stream.Gzip {
			read = "zcat"
		}
		fmt.Fprintf(&text, "\nSend a record:\n\n  curl -u %s -d '{\"hello\":\"world\"}' %s/archives/%s\n", quoted(v.User+":"+v.Password), url, s.Name)
		fmt.Fprintf(&text, "\nand read it, %v later:\n\n  %s %s\n\n", v.Flush+time.Second, read, quoted(folder)+"/"+s.Name+"/dt=*/hour=*/*"+s.Suffix())
		break
	}
	_, _ = c.out.Write(text.Bytes()) // At once: who reads its first line may want the others.
}

// reachable is an address as a client on this machine writes it.
func reachable(a net.Addr) string {
	tcp, ok := a.(*net.TCPAddr)
	if ok && tcp.IP.IsUnspecified() {
		return fmt.Sprintf("127.0.0.1:%d", tcp.Port)
	}
	return a.String()
}

// shortest is a path relative to the working directory where that is shorter.
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

// quoted is a word of a shell's command line.
func quoted(word string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune(":_-./", r)
	}
	if strings.IndexFunc(word, func(r rune) bool { return !plain(r) }) < 0 {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
