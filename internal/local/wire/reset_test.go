package wire_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/local/cloud"
	"github.com/data-sink/data-sink/internal/rig/apitest"
	"github.com/data-sink/data-sink/internal/rig/awstest"
)

func TestACallOfS3ThatIsResetIsObserved(t *testing.T) {
	t.Parallel()
	outcomes := make(chan cloud.Outcome, 1)
	server := awstest.StartForTest(t, awstest.Options{Dir: t.TempDir(), Buckets: []string{"archive"}, Faults: &cloud.Faults{
		Inject:  func(cloud.Call) cloud.Fault { return cloud.Fault{Fail: cloud.Reset, After: true} },
		Observe: func(_ cloud.Call, o cloud.Outcome) { outcomes <- o },
	}})
	r := apitest.Request(t, "PUT", server.URL+"/archive/orders/x", "", strings.NewReader("body"))
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
