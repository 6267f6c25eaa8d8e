package wire_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/local/cloud"
	"github.com/data-sink/data-sink/internal/local/wire"
)

func TestACallOfS3ThatIsResetIsObserved(t *testing.T) {
	t.Parallel()
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	outcomes := make(chan cloud.Outcome, 1)
	bucket, err := cloud.OpenBucket("archive", root, "archive", &cloud.Faults{
		Inject:  func(cloud.Call) cloud.Fault { return cloud.Fault{Fail: cloud.Reset, After: true} },
		Observe: func(_ cloud.Call, o cloud.Outcome) { outcomes <- o },
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(wire.New(wire.Services{Buckets: []*cloud.Bucket{bucket}}))
	t.Cleanup(server.Close)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, server.URL+"/archive/orders/x", strings.NewReader("body"))
	if err != nil {
		t.Fatal(err)
	}
	if response, err := http.DefaultClient.Do(r); err == nil {
		body, _ := io.ReadAll(response.Body)
		_ = response.Body.Close()
		t.Errorf("the call was answered with %s: %s", response.Status, body)
	}
	select {
	case o := <-outcomes:
		if o.Stored != 1 || o.Answered {
			t.Errorf("the call ended with %d objects stored, answered %v; want 1, false", o.Stored, o.Answered)
		}
	case <-time.After(time.Minute):
		t.Error("the call was not observed")
	}
}
