package page

import (
	"bytes"
	"embed"
	"html/template"
	"net"
	"net/http"
	"net/url"
	"path"
	"strings"
)

//go:embed assets
var assets embed.FS

var pages = template.Must(template.ParseFS(assets, "assets/*.html"))

// policy lets the page load from itself alone, and be shown in no other one.
const policy = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// site serves the page, and all that is none of it by the HTTP API.
type site struct {
	page    *Page
	api     http.Handler
	actions http.Handler
}

// IsServed reports whether there is a page where the HTTP API listens: only where
// nobody but this machine can reach it.
func IsServed(listener net.Addr) bool {
	tcp, ok := listener.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

// serve puts the page beside the HTTP API that listens there.
func (p *Page) serve(listener net.Addr, api http.Handler) http.Handler {
	if !IsServed(listener) {
		return api
	}
	s := &site{page: p, api: api}
	actions := http.NewServeMux()
	actions.HandleFunc("POST /page/send", s.send)
	actions.HandleFunc("POST /page/fault", s.fault)
	s.actions = http.NewCrossOriginProtection().Handler(actions)
	return s
}

// ServeHTTP serves one request.
func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	asset, isAsset := strings.CutPrefix(r.URL.Path, "/page/")
	if r.URL.Path != "/" && !isAsset {
		s.api.ServeHTTP(w, r)
		return
	}
	if !fromHere(r) {
		http.Error(w, "This page is for this machine only: open it as http://localhost with the port.", http.StatusForbidden)
		return
	}
	header := w.Header()
	header.Set("Content-Security-Policy", policy)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "same-origin")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	header.Set("Cache-Control", "no-store")
	switch {
	case r.Method == http.MethodPost:
		s.actions.ServeHTTP(w, r)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		header.Set("Allow", "GET, HEAD, POST")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
	case isAsset:
		serveAsset(w, r, asset)
	default:
		s.render(w, r)
	}
}

// fromHere reports whether a request comes from this machine and was meant for it:
// a name of another host that leads here is an attack by DNS.
func fromHere(r *http.Request) bool {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil || !net.ParseIP(host).IsLoopback() {
		return false
	}
	name := r.Host
	if host, _, err := net.SplitHostPort(name); err == nil {
		name = host
	}
	return strings.EqualFold(name, "localhost") || net.ParseIP(strings.Trim(name, "[]")).IsLoopback()
}

func serveAsset(w http.ResponseWriter, r *http.Request, name string) {
	switch path.Ext(name) {
	case ".css", ".js", ".svg":
		http.ServeFileFS(w, r, assets, "assets/"+name)
	default:
		http.NotFound(w, r)
	}
}

func (s *site) render(w http.ResponseWriter, r *http.Request) {
	var b bytes.Buffer
	if err := pages.ExecuteTemplate(&b, "page.html", s.page.view(s.page.query(r.URL.Query()))); err != nil {
		s.page.o.Log.ErrorContext(r.Context(), "page: not rendered", "error", err)
		http.Error(w, "the page cannot be shown", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(b.Bytes()) // The client may have gone.
}

// query reads what a URL or a form asks for. A stream that is not there is the
// first one.
func (p *Page) query(v url.Values) query {
	q := query{stream: v.Get("stream"), at: v.Get("at"), object: v.Get("object")}
	if m := p.byName[q.stream]; m == nil || m.stream.Name != q.stream {
		q.stream = p.streams[0].stream.Name
	}
	return q
}
