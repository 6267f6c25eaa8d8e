package wake_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/data-sink/data-sink/internal/pipeline/wake"
)

type fakeSQS func(in *sqs.SendMessageInput) error

func (f fakeSQS) SendMessage(_ context.Context, in *sqs.SendMessageInput, _ ...func(*sqs.Options)) (*sqs.SendMessageOutput, error) {
	return &sqs.SendMessageOutput{}, f(in)
}

func TestWake(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		delay time.Duration
		want  int32
	}{
		{0, 0}, {-time.Second, 0}, {time.Second, 1}, {1, 1}, {1500 * time.Millisecond, 2}, {time.Minute, 60}, {15 * time.Minute, 900}, {time.Hour, 900},
	} {
		var sent []*sqs.SendMessageInput
		w := wake.New(fakeSQS(func(in *sqs.SendMessageInput) error {
			sent = append(sent, in)
			return nil
		}), "https://sqs/wake")
		if err := w.Wake(t.Context(), "orders", tt.delay); err != nil {
			t.Fatal(err)
		}
		if len(sent) != 1 {
			t.Fatalf("Wake sent %d times, want once", len(sent))
		}
		if *sent[0].QueueUrl != "https://sqs/wake" || *sent[0].MessageBody != `{"stream":"orders"}` || sent[0].DelaySeconds != tt.want {
			t.Errorf("Wake with a delay of %v sent %q to %s, delayed %d s, want %d s", tt.delay, *sent[0].MessageBody, *sent[0].QueueUrl, sent[0].DelaySeconds, tt.want)
		}
		if stream, err := wake.Parse(*sent[0].MessageBody); err != nil || stream != "orders" {
			t.Errorf("Parse of the body that was sent = %q, %v", stream, err)
		}
	}
}

func TestWakeNamesTheStreamInAnError(t *testing.T) {
	t.Parallel()
	unreachable := errors.New("unreachable")
	w := wake.New(fakeSQS(func(*sqs.SendMessageInput) error { return unreachable }), "https://sqs/wake")
	if err := w.Wake(t.Context(), "orders", time.Second); !errors.Is(err, unreachable) || !strings.Contains(err.Error(), "wake-up of orders") {
		t.Errorf("Wake = %v, want the cause and the stream", err)
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		`{"stream":"orders"}`, ` { "stream" : "orders" } `, `{"stream":"orders","reason":{"depth":1}}`, `{"version":2,"stream":"orders"}`,
	} {
		if stream, err := wake.Parse(body); err != nil || stream != "orders" {
			t.Errorf("Parse(%q) = %q, %v, want orders", body, stream, err)
		}
	}
	for _, body := range []string{
		``, `{`, `{}`, `{"stream"`, `{"stream":"orders"`, `null`, `"orders"`, `["stream","orders"]`, `{"stream":""}`, `{"stream":null}`, `{"stream":1}`,
		`{"stream":["orders"]}`, `{"name":"orders"}`, `{"stream":"orders"}x`, `{"stream":"orders"} {}`,
	} {
		if stream, err := wake.Parse(body); err == nil || stream != "" {
			t.Errorf("Parse(%q) = %q, %v, want an error", body, stream, err)
		}
	}
}
