package remote

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/data-sink/data-sink/internal/pipeline/pack"
)

// BridgeLog is the log group of the bridge. It reads CloudWatch Logs with the one
// call that is needed, in the service's own protocol (JSON 1.1). It is safe for
// concurrent use.
type BridgeLog struct {
	cfg             aws.Config
	group, endpoint string
}

// NewBridgeLog returns the log group of that name.
func NewBridgeLog(cfg aws.Config, group string) *BridgeLog {
	l := &BridgeLog{cfg: cfg, group: group, endpoint: "https://logs." + cfg.Region + ".amazonaws.com/"}
	if strings.HasPrefix(cfg.Region, "cn-") {
		l.endpoint = "https://logs." + cfg.Region + ".amazonaws.com.cn/"
	}
	if cfg.BaseEndpoint != nil {
		l.endpoint = *cfg.BaseEndpoint
	}
	if url := os.Getenv("AWS_ENDPOINT_URL_CLOUDWATCH_LOGS"); url != "" {
		l.endpoint = url
	}
	return l
}

// logsAttempts bounds the attempts for one call.
const logsAttempts = 8

type filterInput struct {
	Group     string `json:"logGroupName"`
	Pattern   string `json:"filterPattern"`
	Start     int64  `json:"startTime"` // ms, inclusive
	End       int64  `json:"endTime"`   // ms, inclusive
	NextToken string `json:"nextToken,omitempty"`
}

// slack is how much the time of a line may differ from when CloudWatch has it.
const slack = 5 * time.Minute

// Packed calls each with the lines that tell of packed records, of one stream or,
// without its name, of all. They are lines of the time from one to another at
// least: some are older, younger or of other streams, and some say something else.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html
func (l *BridgeLog) Packed(ctx context.Context, streamName string, from, to time.Time, each func(line []byte) error) error {
	pattern := `"` + pack.LogPacked + `"`
	if streamName != "" {
		// Both words, whatever stands between.
		pattern += ` "` + streamName + `"`
	}
	in := filterInput{Group: l.group, Pattern: pattern, Start: max(from.Add(-slack).UnixMilli(), 0), End: to.Add(slack).UnixMilli()}
	for {
		var out struct {
			Events []struct {
				Message string `json:"message"`
			} `json:"events"`
			NextToken string `json:"nextToken"`
		}
		if err := l.call(ctx, "FilterLogEvents", in, &out); err != nil {
			return fmt.Errorf("reading log group %s: %w", l.group, err)
		}
		for _, e := range out.Events {
			if err := each([]byte(strings.TrimSpace(e.Message))); err != nil {
				return err
			}
		}
		if out.NextToken == "" {
			return nil
		}
		in.NextToken = out.NextToken
	}
}

// logsError is an answer that is none.
type logsError struct {
	status  int
	Type    string `json:"__type"`
	Message string `json:"message"`
}

func (e *logsError) Error() string {
	kind := e.Type[strings.LastIndexByte(e.Type, '#')+1:]
	return fmt.Sprintf("%s: %s (HTTP status %d)", kind, e.Message, e.status)
}

func (e *logsError) mayPass() bool {
	return e.status >= http.StatusInternalServerError || e.status == http.StatusTooManyRequests || strings.Contains(e.Type, "Throttling")
}

// call makes one call, and again where it was throttled or the service failed.
func (l *BridgeLog) call(ctx context.Context, operation string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	for attempt := 1; ; attempt++ {
		answer, status, err := l.send(ctx, operation, body)
		if err == nil && status == http.StatusOK {
			return json.Unmarshal(answer, out)
		}
		if err == nil {
			failure := &logsError{status: status}
			_ = json.Unmarshal(answer, failure) // The status says it, too.
			if !failure.mayPass() {
				return failure
			}
			err = failure
		}
		if attempt == logsAttempts || ctx.Err() != nil {
			return err
		}
		if err := backOff(ctx, attempt); err != nil {
			return err
		}
	}
}

// send signs and sends one request.
func (l *BridgeLog) send(ctx context.Context, operation string, body []byte) (answer []byte, status int, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, l.endpoint, bytes.NewReader(body))
	if err != nil {
		return nil, 0, err
	}
	request.Header.Set("Content-Type", "application/x-amz-json-1.1")
	request.Header.Set("X-Amz-Target", "Logs_20140328."+operation)
	credentials, err := l.cfg.Credentials.Retrieve(ctx)
	if err != nil {
		return nil, 0, fmt.Errorf("finding AWS credentials: %w", err)
	}
	sum := sha256.Sum256(body)
	if err := v4.NewSigner().SignHTTP(ctx, credentials, request, hex.EncodeToString(sum[:]), "logs", l.cfg.Region, time.Now()); err != nil {
		return nil, 0, err
	}
	var client aws.HTTPClient = http.DefaultClient
	if l.cfg.HTTPClient != nil {
		client = l.cfg.HTTPClient // which trusts AWS_CA_BUNDLE
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = response.Body.Close() }()
	answer, err = io.ReadAll(response.Body)
	return answer, response.StatusCode, err
}

// backOff waits before the attempt after this one.
func backOff(ctx context.Context, attempt int) error {
	timer := time.NewTimer(rand.N(200 * time.Millisecond << min(attempt, 6))) // #nosec G404 -- a pause, no secret.
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
