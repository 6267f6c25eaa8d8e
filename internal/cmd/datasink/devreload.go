package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/data-sink/data-sink/internal/local"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// reloadCheck is the pause between two checks of streams.json.
const reloadCheck = 500 * time.Millisecond

// fileVersion identifies the content of a file by its time and size.
type fileVersion struct {
	at   time.Time
	size int64
}

func fileVersionOf(path string) fileVersion {
	info, err := os.Stat(path)
	if err != nil {
		return fileVersion{} // An editor may be replacing the file.
	}
	return fileVersion{info.ModTime(), info.Size()}
}

// reload passes a changed streams.json to the pipeline until ctx ends. If
// the file has problems, it prints them, and the streams stay as they are.
func (v *devVerb) reload(ctx context.Context, c console, p *local.Pipeline, loaded fileVersion) {
	ticker := time.NewTicker(reloadCheck)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		now := fileVersionOf(v.Streams)
		if now == loaded || now == (fileVersion{}) {
			continue
		}
		loaded = now
		set, err := stream.Load(v.Streams)
		if err == nil {
			err = p.SetStreams(set)
		}
		if err != nil {
			fmt.Fprintf(c.err, "datasink: %s has changed, but the streams stay as they are: %v\n", v.Streams, err)
			continue
		}
		fmt.Fprintf(c.err, "datasink: %s has changed; the streams are %s\n", v.Streams, strings.Join(set.Names(), ", "))
	}
}
