package page

import (
	"bytes"
	"embed"
	"html/template"
	"net"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/data-sink/data-sink/internal/pipeline/ingest"
)

//go:embed assets
var assets embed.FS

var pages = template.Must(template.ParseFS(assets, "assets/*.html"))

// policy allows the page to load resources from its own origin only, and no other
// page to embed it.
const policy = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// site serves the page, and passes all other requests to the HTTP API.
type site struct {
	page    *Page
	api     http.Handler
	actions http.Handler
	public  bool // other machines may open the page
}

// isPublic reports whether the listener has the port of Options.PublicAddr.
func (p *Page) isPublic(listener net.Addr) bool {
	_, named, err := net.SplitHostPort(p.o.PublicAddr)
	tcp, ok := listener.(*net.TCPAddr)
	return err == nil && ok && named == strconv.Itoa(tcp.Port)
}

// IsServed reports whether the page is served beside an HTTP API with this address:
// only if no other machine can reach it.
func IsServed(listener net.Addr) bool {
	tcp, ok := listener.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

// serve returns a handler for the page and the HTTP API of a listener.
func (p *Page) serve(listener net.Addr, api http.Handler) http.Handler {
	public := p.isPublic(listener)
	if !IsServed(listener) && !public {
		return api
	}
	s := &site{page: p, api: api, public: public}
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
	if !s.public && !fromHere(r) {
		http.Error(w, "This page can be opened on this machine only, as http://localhost with the port.", http.StatusForbidden)
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

// fromHere reports whether a request comes from this machine and names it as its
// host. Another host name that resolves to this machine is a DNS rebinding attack.
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

// openAPI is the name under which the OpenAPI document of the HTTP API is served.
const openAPI = "openapi.yaml"

func serveAsset(w http.ResponseWriter, r *http.Request, name string) {
	switch {
	case name == openAPI:
		// Browsers show text/plain. They save application/yaml as a file.
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write(ingest.OpenAPI) // The client may have closed the connection.
	case slices.Contains([]string{".css", ".js", ".svg"}, path.Ext(name)):
		http.ServeFileFS(w, r, assets, "assets/"+name)
	default:
		http.NotFound(w, r)
	}
}

func (s *site) render(w http.ResponseWriter, r *http.Request) {
	v := s.page.view(s.page.query(r.URL.Query()))
	v.Public = s.public
	var b bytes.Buffer
	if err := pages.ExecuteTemplate(&b, "page.html", v); err != nil {
		s.page.o.Log.ErrorContext(r.Context(), "page: rendering", "error", err)
		http.Error(w, "the page cannot be rendered", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(b.Bytes()) // The client may have closed the connection.
}

// query parses the parameters of a URL or a form. An unknown stream is replaced by
// the first one.
func (p *Page) query(v url.Values) query {
	q := query{stream: v.Get("stream"), at: v.Get("at"), object: v.Get("object")}
	if m := p.meter(q.stream); m == nil || m.name != q.stream {
		q.stream = p.all()[0].name
	}
	// Anything but a positive number means no further entries.
	q.more, _ = strconv.Atoi(v.Get("more"))
	q.more = max(0, min(q.more, maxMore))
	return q
}

// maxMore limits the entries of a folder that the page shows.
const maxMore = 10_000
