package basicauth_test

import (
	"strings"
	"testing"

	"github.com/data-sink/data-sink/internal/pipeline/basicauth"
)

func TestParseListsAllProblems(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		secret string
		want   []string
	}{
		"empty":           {"", []string{"not JSON: error at byte 0"}},
		"cut off":         {`{"a": "Zecret`, []string{"not JSON: error at byte 13"}},
		"trailing data":   {`{} {}`, []string{"not JSON: error at byte 4"}},
		"a bare password": {`Zecret`, []string{"not JSON: error at byte 1"}},
		"a string":        {`"Zecret"`, []string{"not a JSON object"}},
		"null":            {`null`, []string{"not a JSON object"}},
		"a list":          {`["Zecret"]`, []string{"not a JSON object"}},
		"not UTF-8":       {"{\"a\": \"Zecret\xff\"}", []string{"not UTF-8"}},
		"names": {
			`{"": "Zecret", "Zecret:x": "Zecret", "tab\tbed": "Zecret", "a": "Zecret1", "a": "Zecret2"}`,
			[]string{"client 1: name is empty", "client 2: name has a colon", "client 3: name has a control", `client 5 ("a"): duplicate name`},
		},
		"values": {
			`{"a": 1234567890, "b": null, "c": ["Zecret"], "d": true, "e": "", "f": "Zecret\n", "g": {}}`,
			[]string{
				`client 1 ("a"): want a password, or an object`, `client 2 ("b"): want a password, or`, `client 3 ("c"): want a password, or`,
				`client 4 ("d"): want a password, or`, `client 5 ("e"): password: empty`, `client 6 ("f"): password: has a control character`,
				`client 7 ("g"): missing passwords`,
			},
		},
		"fields": {
			`{"a": {"Zecret": 1, "passwords": ["Zecret"], "passwords": ["Zecret"], "Streams": ["b"]}}`,
			[]string{`client 1 ("a"): field 1 is unknown`, `client 1 ("a"): duplicate field passwords`, `client 1 ("a"): field 4 is unknown`},
		},
		"passwords": {
			`{"a": {"passwords": "Zecret"}, "b": {"passwords": []}, "c": {"passwords": [null]}, "d": {"passwords": ["", "Zecret", "Zecret", "sha256:Zecret", "` +
				hash("x")[:70] + `", "` + hash("Zecret") + `"]}}`,
			[]string{
				`client 1 ("a"): passwords: want a list`, `client 2 ("b"): passwords: want a list`, `client 3 ("c"): passwords: want a list`,
				`client 4 ("d"): passwords[0]: empty`, `client 4 ("d"): passwords[2]: duplicate password`, `client 4 ("d"): passwords[3]: malformed hash`,
				`client 4 ("d"): passwords[4]: malformed hash`, `client 4 ("d"): passwords[5]: duplicate password`,
			},
		},
		"streams": {
			`{"a": {"passwords": ["Zecret"], "streams": []}, "b": {"passwords": ["Zecret"], "streams": null}, "c": {"passwords": ["Zecret"], "streams": "orders"},
			"d": {"passwords": ["Zecret"], "streams": ["orders", "Zecret!", "", "[a-z]", "a/b", "?", "-a"]}}`,
			[]string{
				`client 1 ("a"): streams: want a list`, `client 2 ("b"): streams: want a list`, `client 3 ("c"): streams: want a list`,
				`client 4 ("d"): streams[1]: want ^`, `client 4 ("d"): streams[2]: want ^`, `client 4 ("d"): streams[3]: want ^`,
				`client 4 ("d"): streams[4]: want ^`, `client 4 ("d"): streams[5]: want ^`, `client 4 ("d"): streams[6]: want ^`,
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := basicauth.Parse([]byte(tt.secret))
			if err == nil {
				t.Fatal("Parse: no error")
			}
			if strings.Contains(err.Error(), "Zecret") || strings.Contains(err.Error(), "12345") {
				t.Errorf("the error holds a part of the secret: %v", err)
			}
			lines := strings.Split(err.Error(), "\n")
			if len(lines) != len(tt.want) {
				t.Fatalf("Parse lists %d problems, want %d:\n%v", len(lines), len(tt.want), err)
			}
			for i, want := range tt.want {
				if !strings.HasPrefix(lines[i], want) {
					t.Errorf("problem %d = %q, want %q", i, lines[i], want)
				}
			}
		})
	}
}

// FuzzSecret searches for a secret that makes the parser panic, or that lets in a
// client without a name or a password.
func FuzzSecret(f *testing.F) {
	for _, seed := range []string{`{}`, `{"a":"b"}`, `{"a":{"passwords":["b","` + hash("c") + `"],"streams":["a-*"]}}`, `{"a":{"a":{}}}`, `[[[[`, "{\"\xff\":\"\"}", `{"\ud800":"a"}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, secret []byte) {
		c, err := basicauth.Parse(secret)
		if err != nil {
			return
		}
		for _, h := range []string{"", header("", ""), header("a", ""), header("", "b")} {
			if client, ok := c.Check(h); ok {
				t.Errorf("Check(%q) = %+v, true with %q", h, client, secret)
			}
		}
	})
}
