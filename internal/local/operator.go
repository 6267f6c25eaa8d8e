package local

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"net/http"

	"github.com/data-sink/data-sink/internal/local/endpoints"
	"github.com/data-sink/data-sink/internal/pipeline/drain"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// announce writes the file by which the operator's verbs find the pipeline.
func (p *Pipeline) announce() error {
	if p.operator == nil {
		return nil
	}
	e := endpoints.Endpoints{
		Deployment: p.o.Deployment, APIURL: localURL(p.listener), User: p.o.User, Password: p.o.Password, ClientsFile: p.o.ClientsFile,
		Bucket: ArchiveBucket, S3URL: localURL(p.s3), AWSURL: localURL(p.aws), AccessKey: p.o.AccessKey, SecretKey: p.o.SecretKey,
		FlushSeconds: p.o.Flush.Seconds(), OperatorURL: localURL(p.operator), Token: p.token,
	}
	content, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encoding the endpoints: %w", err)
	}
	if err := replaceFile(p.data, endpoints.File, append(content, '\n')); err != nil {
		return fmt.Errorf("writing the endpoints: %w", err)
	}
	return nil
}

// withdraw removes the file of announce.
func (p *Pipeline) withdraw() error {
	if p.operator == nil {
		return nil
	}
	if err := p.data.Remove(endpoints.File); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing the endpoints: %w", err)
	}
	return nil
}

// localURL is the URL by which a client on this machine reaches a listener, or
// empty.
func localURL(l net.Listener) string {
	if l == nil {
		return ""
	}
	tcp, ok := l.Addr().(*net.TCPAddr)
	if ok && tcp.IP.IsUnspecified() {
		return fmt.Sprintf("http://127.0.0.1:%d", tcp.Port)
	}
	return "http://" + l.Addr().String()
}

// newToken returns the token of the operator's API.
func newToken() string { return rand.Text() }

// operatorAPI serves the operator's verbs. Package endpoints describes it.
func (p *Pipeline) operatorAPI() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /inspect", p.serveInspection)
	mux.HandleFunc("GET /lags", p.serveLags)
	for path, log := range map[string]*keptLog{"GET /packed": p.packed, "GET /direct": p.direct} {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/x-ndjson")
			log.copyTo(w)
		})
	}
	return mux
}

func (p *Pipeline) serveLags(w http.ResponseWriter, _ *http.Request) {
	lags, err := p.lags()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(lags) // The caller may have disconnected.
}

// lags returns the lag of each stream.
func (p *Pipeline) lags() (map[string]endpoints.Lag, error) {
	p.mappings.mu.Lock()
	mappings := maps.Clone(p.mappings.byStream)
	p.mappings.mu.Unlock()
	lags := make(map[string]endpoints.Lag)
	for _, name := range p.streams.Load().Names() {
		lag := endpoints.Lag{Firehose: p.firehose.Freshness(stream.ResourceName(p.o.Deployment, name)).Seconds()}
		if m := mappings[name]; m != nil {
			behind, err := m.Lag()
			if err != nil {
				return nil, fmt.Errorf("reading the lag of %s: %w", name, err)
			}
			seconds := behind.Seconds()
			lag.Bridge = &seconds
		}
		lags[name] = lag
	}
	return lags, nil
}

func (p *Pipeline) serveInspection(w http.ResponseWriter, r *http.Request) {
	answer, err := p.functions.drainer.Invoke(r.Context(), []byte(drain.InspectEvent))
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(answer) // The caller may have disconnected.
}
