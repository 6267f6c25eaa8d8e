package basicauth_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/data-sink/data-sink/internal/pipeline/basicauth"
	"pgregory.net/rapid"
)

func basic(credentials string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(credentials))
}

// Headers that are similar to correct credentials are refused.
func TestHeadersThatAreNearlyRight(t *testing.T) {
	t.Parallel()
	c := mustParse(t, `{"datasink": "hunter2", "ünïcode": "é"}`)
	for _, h := range []string{
		basic("datasink\x00:hunter2"), basic("\x00datasink:hunter2"), basic("datasink:hunter2\x00"), basic("datasink:\x00hunter2"),
		basic("datasink:hunter2\n"), basic("datasink:hunter2 "), basic(" datasink:hunter2"), basic("datasink::hunter2"), basic(":datasink:hunter2"),
		basic("\ufeffdatasink:hunter2"), basic("dаtasink:hunter2"), basic("ｄatasink:hunter2"), basic("data\u200dsink:hunter2"), basic("DATASINK:hunter2"),
		basic("datasink\xff:hunter2"), basic("datasink:hunter2\xff"), basic("\xff\xfe"), basic("datasink"), basic("hunter2"), basic(""), basic(":"), basic("::"),
		basic("u\u0308ni\u0308code:é"), basic("ünïcode:e\u0301"), basic("\xfcn\xefcode:\xe9"), // other normal forms, and Latin-1
		basic("datasink:hunter2") + "," + basic("datasink:hunter2"), basic("nobody:x") + "," + basic("datasink:hunter2"), basic("nobody:x") + ", " + basic("datasink:hunter2"),
		basic("datasink:hunter2") + ";", basic("datasink:hunter2") + "\x00", "\x00" + basic("datasink:hunter2"), "Basic\x00" + basic("datasink:hunter2")[6:],
		"Basic\t" + basic("datasink:hunter2")[6:], "\n" + basic("datasink:hunter2"), basic("datasink:hunter2") + "\r\n", "Basic Basic " + basic("datasink:hunter2")[6:],
		strings.ToUpper(basic("datasink:hunter2")), "Basic " + basic(basic("datasink:hunter2")[6:])[6:], "Basic " + strings.Repeat(" ", 9000) + basic("datasink:hunter2")[6:],
		basic(strings.Repeat("datasink", 5000) + ":hunter2"), basic("datasink:" + strings.Repeat("hunter2", 5000)), strings.Repeat("Basic ", 1<<18), strings.Repeat("\x00", 1<<20),
		"Basic " + base64.URLEncoding.EncodeToString([]byte("datasink:\xff\xfe\xff")),
	} {
		if client, ok := c.Check(h); ok {
			t.Errorf("Check(%.80q) = %+v, true", h, client)
		}
	}
	for _, h := range []string{basic("datasink:hunter2"), basic("ünïcode:é")} { // or the list above would prove nothing
		if _, ok := c.Check(h); !ok {
			t.Errorf("Check(%q) refuses the right credentials", h)
		}
	}
}

// API Gateway joins two headers of one name. The standard library takes the first
// of two headers; here two joined headers are refused in any order.
func TestTwoAuthorizationHeadersAreNone(t *testing.T) {
	t.Parallel()
	c := mustParse(t, `{"datasink": "hunter2"}`)
	for _, values := range [][]string{
		{basic("datasink:hunter2"), basic("datasink:hunter2")},
		{basic("datasink:hunter2"), basic("x:y")},
		{basic("x:y"), basic("datasink:hunter2")},
		{"Bearer x", basic("datasink:hunter2")},
		{"", basic("datasink:hunter2")},
		{basic("datasink:hunter2"), ""},
	} {
		r := &http.Request{Header: http.Header{"Authorization": values}}
		for _, separator := range []string{",", ", "} {
			if client, ok := c.Check(strings.Join(r.Header.Values("Authorization"), separator)); ok {
				t.Errorf("Check of %q joined = %+v, true", values, client)
			}
		}
	}
}

// The memory for a secret of 64 KiB, the limit of Secrets Manager, is in proportion
// to its size for many clients, for many passwords of one client, and for both.
func TestAHostileSecretCostsNoMemory(t *testing.T) { // not parallel: it measures the whole process
	const size = 64 << 10
	list := func(form string, from, to int) string {
		var b strings.Builder
		for i := from; i < to; i++ {
			fmt.Fprintf(&b, ","+form, i)
		}
		return b.String()[1:]
	}
	for name, secret := range map[string]string{
		"many clients":            `{` + list(`"%x":"a"`, 0, 6000) + `}`,
		"many passwords":          `{"a":{"passwords":[` + list(`"%x"`, 0, 9000) + `]}}`,
		"many of both":            `{"z":{"passwords":[` + list(`"%x"`, 0, 4500) + `]},` + list(`"%x":"a"`, 0, 3000) + `}`,
		"many patterns":           `{"a":{"passwords":["p"],"streams":[` + list(`"*%x*"`, 0, 7000) + `]}}`,
		"as deep as JSON may be":  `{"a":` + strings.Repeat(`[`, 9_990) + strings.Repeat(`]`, 9_990) + `}`,
		"deeper":                  strings.Repeat(`{"a":`, size/5),
		"deep in a client":        `{"a":{"passwords":` + strings.Repeat(`[`, 9_990) + strings.Repeat(`]`, 9_990) + `}}`,
		"one long password":       `{"a":"` + strings.Repeat("p", size-8) + `"}`,
		"one long name":           `{"` + strings.Repeat("n", size-10) + `":"p"}`,
		"a long number":           `{"a":` + strings.Repeat("9", size-6) + `}`,
		"many fields of a client": `{"a":{` + list(`"%x":1`, 0, 6000) + `}}`,
	} {
		if len(secret) > size {
			t.Fatalf("%s: %d bytes, more than a secret holds", name, len(secret))
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		c, err := basicauth.Parse([]byte(secret))
		runtime.ReadMemStats(&after)
		if got := after.TotalAlloc - before.TotalAlloc; got > 16<<20 {
			t.Errorf("%s: Parse of %d bytes allocated %d", name, len(secret), got)
		}
		if err == nil {
			if client, ok := c.Check(basic("nobody:x")); ok {
				t.Errorf("%s: let in %+v", name, client)
			}
		}
	}
}

// Every client is let in with each of its passwords and with no other password.
func TestClientsOfAnyShape(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringOf(rapid.SampledFrom([]rune("abcdeéъ\\\" {}/")))
		clients := rapid.MapOfN(name.Filter(func(s string) bool { return s != "" }), rapid.SliceOfNDistinct(rapid.StringMatching(`[a-f]{1,3}`), 1, 12, rapid.ID), 1, 5).Draw(t, "clients")
		content := make(map[string]map[string][]string)
		for name, passwords := range clients {
			content[name] = map[string][]string{"passwords": passwords}
		}
		secret, err := json.Marshal(content)
		if err != nil {
			t.Fatal(err)
		}
		c, err := basicauth.Parse(secret)
		if err != nil {
			t.Fatalf("Parse(%s): %v", secret, err)
		}
		for name := range clients {
			for other, passwords := range clients {
				for _, p := range passwords {
					if _, ok := c.Check(header(name, p)); ok != slices.Contains(clients[name], p) {
						t.Fatalf("Check of %q with a password %q of %q = %v", name, p, other, ok)
					}
				}
			}
			if _, ok := c.Check(header(name, "")); ok {
				t.Fatalf("Check of %q without a password = true", name)
			}
		}
	})
}
