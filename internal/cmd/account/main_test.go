package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// awsConfiguration makes the tests independent of the AWS configuration of the user.
// It returns the path of the configuration file.
func awsConfiguration(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config")
	for name, value := range map[string]string{
		"AWS_CONFIG_FILE": path, "AWS_SHARED_CREDENTIALS_FILE": path, "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_PROFILE": "", "AWS_REGION": "", "AWS_DEFAULT_REGION": "", "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_ENDPOINT_URL": "",
	} {
		t.Setenv(name, value)
	}
	return path
}

func TestWithoutCredentialsTheCheckSaysWhatToDo(t *testing.T) {
	awsConfiguration(t)
	if err := check(t.Context(), []string{"-c", "cacheReplicas=2"}); err == nil || !strings.HasPrefix(err.Error(), "no AWS credentials: set AWS_PROFILE or run aws sso login") {
		t.Errorf("check = %v, want an error that names AWS_PROFILE", err)
	}
}

func TestTheCheckUsesTheProfileOfTheCDK(t *testing.T) {
	path := awsConfiguration(t)
	requests := 0
	sts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests++
		if !strings.Contains(r.Header.Get("Authorization"), "Credential=staging-key/") {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		fmt.Fprint(w, `<GetCallerIdentityResponse><GetCallerIdentityResult><Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`)
	}))
	t.Cleanup(sts.Close)
	t.Setenv("AWS_ENDPOINT_URL", sts.URL)
	profile := "[profile staging]\naws_access_key_id = staging-key\naws_secret_access_key = secret\n"
	if err := os.WriteFile(path, []byte(profile), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"--profile", "staging"}, {"-c", "name=x", "--profile=staging"}} {
		if err := check(t.Context(), args); err != nil {
			t.Errorf("check(%q) = %v", args, err)
		}
	}
	if requests != 2 {
		t.Errorf("the check asked for the account %d times, want 2", requests)
	}
}
