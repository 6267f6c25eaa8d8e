package cloudtest

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func objects(t *testing.T, d Door, _ Resources) {
	begun := time.Now().Add(-2 * time.Second)
	const key = "objects/a b+c"
	etag, err := d.PutObject(t.Context(), Put{Key: key, Body: "body"})
	if err != nil || etag == "" {
		t.Fatalf("PutObject = %q, %v", etag, err)
	}
	got, err := d.GetObject(t.Context(), key)
	if err != nil || got.Body != "body" || got.ETag != etag || got.ModifiedAt.Before(begun) {
		t.Errorf("GetObject = %+v, %v, want the body, the ETag %q and the time", got, err, etag)
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
	_, err = d.GetObject(t.Context(), key)
	wantCode(t, "GetObject of a missing object", err, "NoSuchKey")
}

func conditions(t *testing.T, d Door, _ Resources) {
	first, err := d.PutObject(t.Context(), Put{Key: "conditions/x", Body: "1", IfNoneMatch: "*"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = d.PutObject(t.Context(), Put{Key: "conditions/x", Body: "2", IfNoneMatch: "*"})
	wantCode(t, "a second If-None-Match", err, "PreconditionFailed")
	if _, err = d.PutObject(t.Context(), Put{Key: "conditions/x", Body: "three", IfMatch: first}); err != nil {
		t.Errorf("If-Match: %v", err)
	}
	_, err = d.PutObject(t.Context(), Put{Key: "conditions/x", Body: "4", IfMatch: first})
	wantCode(t, "If-Match with an old ETag", err, "PreconditionFailed")
	if got, err := d.GetObject(t.Context(), "conditions/x"); err != nil || got.Body != "three" {
		t.Errorf("object = %q, %v", got.Body, err)
	}
}

func list(t *testing.T, d Door, _ Resources) {
	all := []string{"list/a-b/0", "list/a/1", "list/a/2", "list/b"}
	for _, key := range all {
		if _, err := d.PutObject(t.Context(), Put{Key: key, Body: "x"}); err != nil {
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
			got, err := d.List(t.Context(), tt.prefix, tt.delimiter, size)
			slices.Sort(got) // Keys and common prefixes come apart.
			if diff := cmp.Diff(tt.want, got); diff != "" || err != nil {
				t.Errorf("List(%q, %q) in pages of %d: %v, differs (-want +got):\n%s", tt.prefix, tt.delimiter, size, err, diff)
			}
		}
	}
}
