package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/data-sink/data-sink/internal/local/endpoints"
	"github.com/data-sink/data-sink/internal/pipeline/drain"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// openOperator opens what answers the operator's command.
func (p *Pipeline) openOperator() error {
	if p.o.OperatorAddr == "" {
		return nil
	}
	var err error
	if p.operator, err = net.Listen("tcp", p.o.OperatorAddr); err != nil {
		return fmt.Errorf("opening the operator's API: %w", err)
	}
	return nil
}

// announce writes the file by which the operator's command finds the pipeline.
func (p *Pipeline) announce() error {
	if p.operator == nil {
		return nil
	}
	e := endpoints.Endpoints{
		Deployment: p.o.Deployment, APIURL: "http://" + fromThisMachine(p.listener.Addr()), User: p.o.User, Password: p.o.Password,
		Bucket: ArchiveBucket, FlushSeconds: p.o.Flush.Seconds(), OperatorURL: "http://" + fromThisMachine(p.operator.Addr()),
	}
	if p.s3 != nil {
		e.S3URL = "http://" + fromThisMachine(p.s3.Addr())
	}
	content, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encoding the endpoints: %w", err)
	}
	path := p.endpointsPath()
	// It has a password.
	if err := os.WriteFile(path+".new", append(content, '\n'), 0o600); err != nil {
		return fmt.Errorf("writing the endpoints: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("writing the endpoints: %w", err)
	}
	return nil
}

// leave removes that file.
func (p *Pipeline) leave() error {
	if p.operator == nil {
		return nil
	}
	if err := os.Remove(p.endpointsPath()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing the endpoints: %w", err)
	}
	return nil
}

func (p *Pipeline) endpointsPath() string { return filepath.Join(p.o.Data, endpoints.File) }

// fromThisMachine is an address as a client on this machine writes it.
func fromThisMachine(a net.Addr) string {
	if tcp, ok := a.(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		return fmt.Sprintf("127.0.0.1:%d", tcp.Port)
	}
	return a.String()
}

// operatorAPI answers the operator's command, and only programs on this machine
// that are no web pages. Package endpoints says what it answers.
func (p *Pipeline) operatorAPI() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /inspect", p.serveInspection)
	mux.HandleFunc("GET /tap/{stream}", p.serveTap)
	for path, log := range map[string]*keptLog{"GET /packed": p.packed, "GET /direct": p.direct} {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/x-ndjson")
			log.copyTo(w)
		})
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !fromHere(r) {
			http.Error(w, "forbidden", http.StatusForbidden)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func (p *Pipeline) serveInspection(w http.ResponseWriter, r *http.Request) {
	answer, err := p.drainer.Invoke(r.Context(), []byte(drain.InspectEvent))
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(answer) // The caller may have gone.
}

// tapping is one caller of the tap.
type tapping struct {
	since, until time.Time
	fromNow      bool

	mu  sync.Mutex
	out *json.Encoder
	// flush sends what was written.
	flush func() error
}

func (p *Pipeline) serveTap(w http.ResponseWriter, r *http.Request) {
	name := stream.ResourceName(p.o.Deployment, r.PathValue("stream"))
	shards := p.kinesis.ShardIDs(name)
	if len(shards) == 0 {
		http.Error(w, "no stream "+r.PathValue("stream"), http.StatusNotFound)
		return
	}
	t := &tapping{out: json.NewEncoder(w), flush: http.NewResponseController(w).Flush}
	var err error
	if t.since, err = parseTime(r, "since"); err == nil {
		t.until, err = parseTime(r, "until")
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	t.fromNow = t.since.IsZero()
	w.Header().Set("Content-Type", "application/x-ndjson")
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	var wg sync.WaitGroup
	for _, id := range shards {
		sh, err := p.kinesis.shard(name, id)
		if err != nil {
			return
		}
		offset := int64(0)
		if t.fromNow {
			offset, _ = sh.spool.tail()
		}
		wg.Go(func() {
			if err := t.read(ctx, sh, offset); err != nil {
				p.o.Log.DebugContext(ctx, "tap ended", "stream", name, "shard", sh.id, "error", err)
				cancel()
			}
		})
	}
	_ = t.flushed() // so that the caller knows that it is being served
	wg.Wait()
}

func parseTime(r *http.Request, name string) (time.Time, error) {
	value := r.URL.Query().Get(name)
	if value == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339Nano, value)
	if err != nil {
		return t, fmt.Errorf("%s: want a time as RFC 3339 has it", name)
	}
	return t, nil
}

// read writes the records of a shard from an offset on, until the caller goes.
func (t *tapping) read(ctx context.Context, sh *shard, offset int64) error {
	it := sh.iterate(offset)
	defer it.Close()
	for ctx.Err() == nil {
		grown := it.Grown()
		r, ok, err := it.Next()
		switch {
		case err != nil:
			return err
		case !ok && t.isOver():
			return t.flushed()
		case !ok:
			if err := t.flushed(); err != nil {
				return err
			}
			t.wait(ctx, grown)
			continue
		case !t.until.IsZero() && !r.ArrivedAt.Before(t.until):
			return t.flushed()
		case r.ArrivedAt.Before(t.since):
			continue
		}
		if err := t.write(sh.id, r); err != nil {
			return err
		}
	}
	return nil
}

// isOver reports whether no record that comes can be one that is wanted.
func (t *tapping) isOver() bool { return !t.until.IsZero() && !time.Now().Before(t.until) }

// wait waits for another record, or for the end of what is wanted.
func (t *tapping) wait(ctx context.Context, grown <-chan struct{}) {
	var over <-chan time.Time
	if !t.until.IsZero() {
		timer := time.NewTimer(time.Until(t.until))
		defer timer.Stop()
		over = timer.C
	}
	select {
	case <-ctx.Done():
	case <-grown:
	case <-over:
	}
}

func (t *tapping) write(shardID string, r TapRecord) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.out.Encode(endpoints.TapLine{
		Shard: shardID, Sequence: r.SequenceNumber, PartitionKey: r.PartitionKey, ReceivedAt: r.ArrivedAt, Body: r.Data,
	})
}

func (t *tapping) flushed() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.flush()
}
