package basicauth_test

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"

	"github.com/data-sink/data-sink/internal/pipeline/basicauth"
)

// header builds an Authorization header as a client does.
func header(user, password string) string {
	r := &http.Request{Header: http.Header{}}
	r.SetBasicAuth(user, password)
	return r.Header.Get("Authorization")
}

func hash(password string) string {
	sum := sha256.Sum256([]byte(password))
	return "sha256:" + hex.EncodeToString(sum[:])
}

func mustParse(tb testing.TB, secret string) *basicauth.Credentials {
	tb.Helper()
	c, err := basicauth.Parse([]byte(secret))
	if err != nil {
		tb.Fatalf("Parse: %v", err)
	}
	return c
}

func TestCheck(t *testing.T) {
	t.Parallel()
	c := mustParse(t, `{
		"datasink": "hunter2",
		"colons": "a:b::c",
		"ünïcode": "pässwörd ✓",
		"rotating": {"passwords": ["old", "`+hash("new")+`", "newest"]},
		"upper": {"passwords": ["`+strings.ToUpper(hash("digits")[7:])+`"]},
		"long": "`+strings.Repeat("p", 5000)+`"}`)
	for _, tt := range []struct {
		name, header, want string
	}{
		{"plain", header("datasink", "hunter2"), "datasink"},
		{"scheme in lower case", "basic " + header("datasink", "hunter2")[6:], "datasink"},
		{"scheme in upper case", "BASIC " + header("datasink", "hunter2")[6:], "datasink"},
		{"several spaces", "Basic   " + header("datasink", "hunter2")[6:] + " ", "datasink"},
		{"no padding", strings.TrimRight(header("rotating", "old"), "="), "rotating"},
		{"colons in the password", header("colons", "a:b::c"), "colons"},
		{"beyond ASCII", header("ünïcode", "pässwörd ✓"), "ünïcode"},
		{"first of several passwords", header("rotating", "old"), "rotating"},
		{"hashed password", header("rotating", "new"), "rotating"},
		{"last of several passwords", header("rotating", "newest"), "rotating"},
		{"long password", header("long", strings.Repeat("p", 5000)), "long"},

		{"password of another client", header("datasink", "old"), ""},
		{"unknown client", header("nobody", "hunter2"), ""},
		{"unknown client, empty password", header("nobody", ""), ""},
		{"empty user", header("", "hunter2"), ""},
		{"empty password", header("datasink", ""), ""},
		{"password too long by one", header("datasink", "hunter22"), ""},
		{"name in another case", header("Datasink", "hunter2"), ""},
		{"the digest instead of the password", header("rotating", hash("new")), ""},
		{"64 digits without prefix are a password", header("upper", "digits"), ""},
		{"no header", "", ""},
		{"scheme alone", "Basic", ""},
		{"scheme and space", "Basic ", ""},
		{"no space", "Basic" + header("datasink", "hunter2")[6:], ""},
		{"other scheme", "Bearer " + header("datasink", "hunter2")[6:], ""},
		{"scheme with a look-alike", "Baſic " + header("datasink", "hunter2")[6:], ""},
		{"two headers joined", header("datasink", "hunter2") + ", " + header("datasink", "hunter2"), ""},
		{"base64 in two lines", "Basic ZGF0YXNpbms6\r\naHVudGVyMg==", ""},
		{"not base64", "Basic datasink:hunter2", ""},
		{"no colon", "Basic ZGF0YXNpbms=", ""},
		{"too much padding", header("rotating", "old") + "==", ""},
		{"not UTF-8", header("datasink", "hunter2\xff"), ""},
		{"huge", header("datasink", strings.Repeat("p", 20000)), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			client, ok := c.Check(tt.header)
			if ok != (tt.want != "") || ok && client.Name != tt.want {
				t.Errorf("Check(%.40q…) = %+v, %v, want %q", tt.header, client, ok, tt.want)
			}
		})
	}
}

func TestAFailedCheckNamesOnlyAClientThatIsThere(t *testing.T) {
	t.Parallel()
	c := mustParse(t, `{"checkout": {"passwords": ["right"], "streams": ["orders"]}}`)
	if client, ok := c.Check(header("checkout", "wrong")); ok || client.Name != "checkout" || client.Restricted() {
		t.Errorf("Check of a wrong password = %+v, %v, want the bare name, false", client, ok)
	}
	if client, ok := c.Check(header("shadow", "wrong")); ok || client.Name != "" {
		t.Errorf("Check of an unknown client = %+v, %v, want no name, false", client, ok)
	}
}

func TestASecretWithoutClientsLetsNobodyIn(t *testing.T) {
	t.Parallel()
	c := mustParse(t, `{}`)
	for _, h := range []string{"", header("", ""), header("a", "b")} {
		if client, ok := c.Check(h); ok {
			t.Errorf("Check(%q) = %+v, true", h, client)
		}
	}
}

func TestMayWrite(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		grants, stream string
		want           bool
	}{
		{"", "orders", true},
		{"", "no such stream", true},
		{`["orders"]`, "orders", true},
		{`["orders"]`, "orders-eu", false},
		{`["orders"]`, "order", false},
		{`["orders"]`, "Orders", false},
		{`["checkout-*"]`, "checkout-carts", true},
		{`["checkout-*"]`, "checkout-", true},
		{`["checkout-*"]`, "checkout", false},
		{`["orders", "checkout-*"]`, "checkout-eu", true},
		{`["a-*-z"]`, "a-b-z", true},
		{`["a-*-z"]`, "a-b-z-y", false},
		{`["a*b*c"]`, "aXbYbZc", true},
		{`["*"]`, "anything", true},
		{`["*"]`, "../other", false},
		{`["orders"]`, "orders\x00", false},
		{`["orders"]`, "ordеrs", false}, // a Cyrillic е
		{`["*a*a*a*a*a*a*b"]`, strings.Repeat("a", 10000), false},
	} {
		secret := `{"c": "p"}`
		if tt.grants != "" {
			secret = `{"c": {"passwords": ["p"], "streams": ` + tt.grants + `}}`
		}
		client, ok := mustParse(t, secret).Check(header("c", "p"))
		if !ok {
			t.Fatalf("Check with %s failed", secret)
		}
		if got := client.MayWrite(tt.stream); got != tt.want {
			t.Errorf("MayWrite(%.40q) with %s = %v, want %v", tt.stream, tt.grants, got, tt.want)
		}
		if got := client.Restricted(); got != (tt.grants != "") {
			t.Errorf("Restricted with %s = %v", tt.grants, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"", "Basic ", header("datasink", "hunter2"), header("", ""), header("a", "b:c"), "basic YTpi", "Basic YTpi, Basic YTpi",
		strings.TrimRight(header("abc", "de"), "="), "Basic YQ==", "Basic \r\nYTpi", "Baſic YTpi", "Basic\tYTpi", " Basic YTpi ",
	} {
		f.Add(seed)
	}
	c := mustParse(f, `{"datasink": "hunter2", "checkout": {"passwords": ["a", "`+hash("b")+`"]}}`)
	right := map[[2]string]bool{{"datasink", "hunter2"}: true, {"checkout", "a"}: true, {"checkout", "b"}: true}
	f.Fuzz(func(t *testing.T, authorization string) {
		user, password, ok := basicauth.ParseHeader(authorization)
		if !ok && user+password != "" {
			t.Errorf("ParseHeader(%q) = %q, %q, false, want nothing", authorization, user, password)
		}
		// The standard library's parser requires one space and the padding. It skips
		// line ends, and it has no limit.
		r := &http.Request{Header: http.Header{"Authorization": {authorization}}}
		if u, p, std := r.BasicAuth(); std && !strings.ContainsAny(authorization, "\r\n") && len(authorization) <= 8<<10 && (!ok || u != user || p != password) {
			t.Errorf("ParseHeader(%q) = %q, %q, %v, want %q, %q as net/http has it", authorization, user, password, ok, u, p)
		}
		client, in := c.Check(authorization)
		if want := ok && right[[2]string{user, password}]; in != want {
			t.Errorf("Check(%q) = %+v, %v, want %v", authorization, client, in, want)
		}
	})
}

func BenchmarkCheck(b *testing.B) {
	c := mustParse(b, `{"datasink": "hunter2", "checkout": {"passwords": ["a", "b", "c"]}}`)
	for name, h := range map[string]string{"right": header("datasink", "hunter2"), "wrong": header("datasink", "hunter3"), "unknown": header("nobodyyy", "hunter2")} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c.Check(h)
			}
		})
	}
}
