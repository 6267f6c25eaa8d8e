package deployment_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/data-sink/data-sink/internal/local/endpoints"
	"github.com/data-sink/data-sink/internal/operate/deployment"
)

func TestEndpointsOfOthersAreNotTrusted(t *testing.T) {
	t.Parallel()
	const here, there = "http://127.0.0.1:8080", "http://attacker.example"
	type test struct {
		name   string
		e      endpoints.Endpoints
		change func(t *testing.T, data, path string)
		want   string // empty: the file is trusted
	}
	tests := []test{
		{name: "its own file", e: endpoints.Endpoints{APIURL: here, OperatorURL: "http://[::1]:1", S3URL: "http://localhost:1"}},
		{name: "an API elsewhere", e: endpoints.Endpoints{APIURL: there + ":80", OperatorURL: here}, want: "attacker.example"},
		{name: "an operator elsewhere", e: endpoints.Endpoints{APIURL: here, OperatorURL: there + ":80"}, want: "attacker.example"},
		{name: "an archive elsewhere", e: endpoints.Endpoints{APIURL: here, S3URL: there + ":80"}, want: "attacker.example"},
		{name: "a name that looks local", e: endpoints.Endpoints{APIURL: "http://127.0.0.1.attacker.example:80"}, want: "attacker.example"},
		{name: "another scheme", e: endpoints.Endpoints{APIURL: "https://127.0.0.1:80"}, want: "not an http URL"},
		{name: "a file that others may read", e: endpoints.Endpoints{APIURL: here}, want: "0644", change: func(t *testing.T, _, path string) {
			if err := os.Chmod(path, 0o644); err != nil {
				t.Fatal(err)
			}
		}},
		{name: "a symbolic link", e: endpoints.Endpoints{APIURL: here}, want: "symbolic link", change: func(t *testing.T, data, path string) {
			if err := os.Rename(path, filepath.Join(data, "other")); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink("other", path); err != nil {
				t.Fatal(err)
			}
		}},
		{name: "no JSON", want: "invalid character", change: func(t *testing.T, _, path string) {
			if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
				t.Fatal(err)
			}
		}},
	}
	if os.Geteuid() == 0 {
		tests = append(tests,
			test{name: "a folder of another user", e: endpoints.Endpoints{APIURL: here}, want: "another user", change: func(t *testing.T, data, _ string) { give(t, data) }},
			test{name: "a file of another user", e: endpoints.Endpoints{APIURL: here}, want: "not a file of this user", change: func(t *testing.T, _, path string) { give(t, path) }},
		)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			data := writeEndpoints(t, tt.e)
			if tt.change != nil {
				tt.change(t, data, filepath.Join(data, endpoints.File))
			}
			_, err := deployment.Find(t.Context(), deployment.Options{Data: data, Name: "datasink"})
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Find = %v, want an error with %q", err, tt.want)
			}
		})
	}
}

// give gives a file to another user, which only root can do.
func give(t *testing.T, path string) {
	t.Helper()
	const nobody = 65534
	if err := os.Chown(path, nobody, -1); err != nil {
		t.Fatal(err)
	}
}

func TestAWriterNeedsToChooseAWS(t *testing.T) {
	server := httptest.NewServer(&amazon{t: t})
	t.Cleanup(server.Close)
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": server.URL, "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "eu-west-1",
		"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_PROFILE": "",
	} {
		t.Setenv(name, value)
	}
	here, nowhere := writeEndpoints(t, endpoints.Endpoints{Deployment: "datasink"}), t.TempDir()
	for _, tt := range []struct {
		o    deployment.Options
		want string // of the description; empty: ErrNoTarget
	}{
		{deployment.Options{Data: nowhere}, "account 123456789012"},
		{deployment.Options{Data: nowhere, Write: true}, ""},
		{deployment.Options{Data: nowhere, Write: true, AWS: true}, "account 123456789012"},
		{deployment.Options{Data: nowhere, Write: true, Region: "eu-west-2"}, "account 123456789012, eu-west-2"},
		{deployment.Options{Data: here, Write: true}, "the local pipeline"},
		{deployment.Options{Data: here, Write: true, AWS: true}, "account 123456789012"},
	} {
		tt.o.Name = "sink"
		found, err := deployment.Find(t.Context(), tt.o)
		switch {
		case tt.want == "":
			if !errors.Is(err, deployment.ErrNoTarget) || !strings.Contains(err.Error(), "datasink dev") || !strings.Contains(err.Error(), "--aws") {
				t.Errorf("Find(%+v) = %v, want ErrNoTarget and both ways", tt.o, err)
			}
		case err != nil || !strings.Contains(found.Describe(), tt.want):
			t.Errorf("Find(%+v) = %v, %v, want %s", tt.o, found, err, tt.want)
		}
	}
}

func TestNoCredentialsAreNamedFirst(t *testing.T) {
	called := 0
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called++ }))
	t.Cleanup(server.Close)
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": server.URL, "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_SESSION_TOKEN": "", "AWS_REGION": "eu-west-1",
		"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_PROFILE": "", "AWS_EC2_METADATA_DISABLED": "true",
	} {
		t.Setenv(name, value)
	}
	_, err := deployment.Find(t.Context(), deployment.Options{Data: t.TempDir(), Name: "sink", AWS: true})
	if err == nil || !strings.HasPrefix(err.Error(), "no AWS credentials: set AWS_PROFILE or run aws sso login") || called != 0 {
		t.Errorf("Find = %v after %d calls", err, called)
	}
}
