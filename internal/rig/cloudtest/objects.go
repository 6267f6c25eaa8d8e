package cloudtest

import (
	"io"
	"slices"
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/local/cloud"
	"github.com/google/go-cmp/cmp"
)

// put writes one object and returns its ETag.
func put(t *testing.T, d Door, key, body string, c cloud.Conditions) (etag string, err error) {
	t.Helper()
	object, err := d.PutObject(t.Context(), key, c, func(w io.Writer) error {
		_, err := io.WriteString(w, body)
		return err
	})
	return object.ETag, err
}

func objects(t *testing.T, d Door, _ Resources) {
	begun := time.Now().Add(-2 * time.Second)
	const key = "objects/a b+c"
	etag, err := put(t, d, key, "body", cloud.Conditions{})
	if err != nil || etag == "" {
		t.Fatalf("PutObject = %q, %v", etag, err)
	}
	body, got, err := d.ReadObject(t.Context(), key)
	if err != nil || body != "body" || got.ETag != etag || got.ModifiedAt.Before(begun) {
		t.Errorf("GetObject = %q, %+v, %v, want the body, the ETag %q and the time", body, got, err, etag)
	}
	head, err := d.HeadObject(t.Context(), key)
	if err != nil || head.ETag != etag || head.ModifiedAt.Before(begun) {
		t.Errorf("HeadObject = %+v, %v, want the ETag %q and the time", head, err, etag)
	}
	if err := d.DeleteObject(t.Context(), key); err != nil {
		t.Errorf("DeleteObject: %v", err)
	}
	if err := d.DeleteObject(t.Context(), key); err != nil {
		t.Errorf("DeleteObject of a missing object: %v", err)
	}
	_, _, err = d.ReadObject(t.Context(), key)
	wantCode(t, "GetObject of a missing object", err, "NoSuchKey")
}

func conditions(t *testing.T, d Door, _ Resources) {
	const key = "conditions/x"
	first, err := put(t, d, key, "1", cloud.Conditions{IfNoneMatch: "*"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = put(t, d, key, "2", cloud.Conditions{IfNoneMatch: "*"})
	wantCode(t, "a second If-None-Match", err, "PreconditionFailed")
	if _, err = put(t, d, key, "three", cloud.Conditions{IfMatch: first}); err != nil {
		t.Errorf("If-Match: %v", err)
	}
	_, err = put(t, d, key, "4", cloud.Conditions{IfMatch: first})
	wantCode(t, "If-Match with an old ETag", err, "PreconditionFailed")
	if body, _, err := d.ReadObject(t.Context(), key); err != nil || body != "three" {
		t.Errorf("GetObject = %q, %v, want the body three", body, err)
	}
}

func list(t *testing.T, d Door, _ Resources) {
	all := []string{"list/a-b/0", "list/a/1", "list/a/2", "list/b"}
	for _, key := range all {
		if _, err := put(t, d, key, "x", cloud.Conditions{}); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		prefix, delimiter string
		want              []string
	}{
		{"list/", "", all},
		{"list/a", "", all[:3]},
		{"list/a/", "", all[1:3]},
		{"list/", "/", []string{"list/a-b/", "list/a/", "list/b"}},
		{"list/c", "", nil},
	} {
		for _, size := range []int{1, 1000} {
			got, err := d.ListAll(t.Context(), tt.prefix, tt.delimiter, size)
			slices.Sort(got) // Keys and common prefixes come apart.
			if diff := cmp.Diff(tt.want, got); diff != "" || err != nil {
				t.Errorf("List(%q, %q) in pages of %d: %v, differs (-want +got):\n%s", tt.prefix, tt.delimiter, size, err, diff)
			}
		}
	}
}
