//go:build e2e

package e2e_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/drain"
	"github.com/data-sink/data-sink/internal/pipeline/env"
	"github.com/data-sink/data-sink/internal/pipeline/envelope"
)

const accessDenied = "AccessDenied"

func (d *deployment) testIngestPermissions(t *testing.T) {
	d.testPermissions(t, d.outputs.IngestFunction, []permission{
		{"secretsmanager:GetSecretValue", ":secret:datasink.clients-", "503", func(d *deployment, t *testing.T) error {
			d.restart(t, d.outputs.IngestFunction, nil)
			return d.try(t, "orders", text("after reading the clients' secret"), "")
		}},
		{"secretsmanager:GetSecretValue", ":secret:datasink.cache-", "fallback", func(d *deployment, t *testing.T) error {
			d.restart(t, d.outputs.IngestFunction, nil)
			return d.mustQueue(t)
		}},
		{"sqs:SendMessage", "", "wake_failed", func(d *deployment, t *testing.T) error {
			d.restart(t, d.outputs.IngestFunction, nil)
			return d.mustQueue(t)
		}},
		{"s3:PutObject", "/*/dt=*", "503", func(d *deployment, t *testing.T) error {
			d.restart(t, d.outputs.IngestFunction, nil)
			return d.try(t, "legacy-archives", binary("a direct record", 2<<20), archive.Oversize)
		}},
		{"s3:ListBucket", "", "503", func(d *deployment, t *testing.T) error {
			d.restart(t, d.outputs.IngestFunction, map[string]string{env.RedisURL: "redis://localhost:1"})
			return d.health(t)
		}},
	}, nil)
	d.restart(t, d.outputs.IngestFunction, nil)
}

// try sends a body and returns an error unless it is accepted.
func (d *deployment) try(t *testing.T, name string, body []byte, reason archive.Reason) error {
	t.Helper()
	a := d.client.post(t, name, octets, body)
	if a.status != http.StatusAccepted {
		return fmt.Errorf("%d %s", a.status, a.body)
	}
	d.archive.accept(name, d.framed(t, name, body), reason)
	return nil
}

// mustQueue sends a record to ingest. It returns an error if the record becomes a
// direct record, or if no drainer is woken.
func (d *deployment) mustQueue(t *testing.T) error {
	t.Helper()
	// Wait for the next wake interval: a stream has one wake-up in each.
	time.Sleep(1100 * time.Millisecond)
	body := text("through ingest alone")
	i := d.cloud.invoke(t, d.outputs.IngestFunction, postEvent(t, "orders", d.client.user, d.client.password, body))
	if i.status() != http.StatusAccepted {
		return fmt.Errorf("%s %s\n%s", i.failure, i.answer, i.log)
	}
	var err error
	reason := archive.Reason("")
	if strings.Contains(i.log, string(archive.Fallback)) {
		reason = archive.Fallback
	}
	if reason != "" || strings.Contains(i.log, "wake_failed") {
		err = errors.New(i.log)
	}
	d.archive.accept("orders", d.framed(t, "orders", body), reason)
	return err
}

// health invokes ingest with GET /health. The emulator answers that path of the API
// itself.
func (d *deployment) health(t *testing.T) error {
	t.Helper()
	i := d.cloud.invoke(t, d.outputs.IngestFunction, healthEvent)
	if i.status() != http.StatusOK {
		return fmt.Errorf("%s %s\n%s", i.failure, i.answer, i.log)
	}
	return nil
}

func (d *deployment) testBridgePermissions(t *testing.T) {
	// A bridge that is restarted during an invocation delivers twice.
	d.awaitLogged(t, "orders", "legacy-archives")
	mapping := "Lambda's mapping reads Kinesis as this role"
	d.testPermissions(t, d.outputs.BridgeFunction, []permission{
		{"firehose:PutRecordBatch", "", accessDenied, func(d *deployment, t *testing.T) error {
			// It retries until its time-out, so shorten that.
			bridge := d.deployed(t, d.outputs.BridgeFunction)
			bridge.timeout = 5 * time.Second
			d.cloud.restart(t, d.outputs.BridgeFunction, bridge)
			body := text("through the bridge alone")
			err := d.deliver(t, "orders", body)
			if err == nil {
				d.archive.accept("orders", d.framed(t, "orders", body), "")
			}
			return err
		}},
		{"s3:PutObject", "/failed/bridge/*", accessDenied, func(d *deployment, t *testing.T) error {
			d.restart(t, d.outputs.BridgeFunction, nil)
			body := binary("more than Firehose accepts", 1_024_000)
			body[len(body)-1] = 0 // no newline, so the frame is one byte longer
			if err := d.deliver(t, "orders", body); err != nil {
				return err
			}
			all := d.archive.deadLetters(t, archive.StageBridge, "orders")
			if !slices.ContainsFunc(all, func(a archive.DeadLetter) bool { return slices.Equal(a.Body, body) }) {
				return fmt.Errorf("%d dead letters, none of them the expected one", len(all))
			}
			return nil
		}},
	}, []unchecked{
		{"kinesis:DescribeStream", "", mapping},
		{"kinesis:DescribeStreamSummary", "", mapping},
		{"kinesis:GetRecords", "", mapping},
		{"kinesis:GetShardIterator", "", mapping},
		{"kinesis:ListShards", "", mapping},
		{"s3:PutObject", "/aws/lambda/*", "Lambda's mapping writes the batches that it gives up"},
		{"s3:ListBucket", "", "Lambda's mapping checks the bucket for those batches"},
	})
	d.restart(t, d.outputs.BridgeFunction, nil)
}

// deliver invokes the bridge with a record, and returns its log if it did not
// deliver the record.
func (d *deployment) deliver(t *testing.T, name string, body []byte) error {
	t.Helper()
	i := d.cloud.invoke(t, d.outputs.BridgeFunction, kinesisEvent(name, body))
	var response events.KinesisEventResponse
	if err := json.Unmarshal(i.answer, &response); err != nil || i.failure != "" || len(response.BatchItemFailures) > 0 {
		return fmt.Errorf("%s %s\n%s", i.failure, i.answer, i.log)
	}
	return nil
}

func (d *deployment) testDrainerPermissions(t *testing.T) {
	mapping := "Lambda's mapping reads the wake-ups as this role"
	d.testPermissions(t, d.outputs.DrainerFunction, []permission{
		{"secretsmanager:GetSecretValue", "", accessDenied, func(d *deployment, t *testing.T) error {
			d.restart(t, d.outputs.DrainerFunction, nil)
			return d.sweep(t)
		}},
		{"kinesis:PutRecords", "", accessDenied, func(d *deployment, t *testing.T) error {
			d.restart(t, d.outputs.DrainerFunction, nil)
			d.push(t, "orders", text("through the drainer alone"))
			return d.sweep(t)
		}},
		{"s3:PutObject", "/failed/drainer/*", accessDenied, func(d *deployment, t *testing.T) error {
			d.restart(t, d.outputs.DrainerFunction, nil)
			if _, err := d.queue.Push(t.Context(), "orders", text("not an envelope"), 0); err != nil {
				t.Fatal(err)
			}
			return d.sweep(t)
		}},
		{"sqs:SendMessage", "", "scale_out_failed", func(d *deployment, t *testing.T) error {
			d.restart(t, d.outputs.DrainerFunction, map[string]string{env.ClaimRecords: "1", env.ClaimsInFlight: "1", env.ScaleOutRecords: "1"})
			for range 10 {
				d.push(t, "orders", text("one of a backlog"))
			}
			return d.sweep(t)
		}},
	}, []unchecked{
		{"sqs:ReceiveMessage", "", mapping},
		{"sqs:DeleteMessage", "", mapping},
		{"sqs:GetQueueAttributes", "", mapping},
	})
	d.restart(t, d.outputs.DrainerFunction, nil)
	d.archive.awaitAll(t, swept)
}

// push pushes a record to a queue without a wake-up.
func (d *deployment) push(t *testing.T, name string, body []byte) {
	t.Helper()
	e, err := envelope.Encode(envelope.Record{Stream: name, ReceivedAt: time.Now(), ID: string(text("id")), Body: body})
	if err == nil {
		_, err = d.queue.Push(t.Context(), name, e, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	d.archive.accept(name, d.framed(t, name, body), "")
}

// sweep invokes the drainer with a sweep, and returns its log if something failed.
func (d *deployment) sweep(t *testing.T) error {
	t.Helper()
	i := d.cloud.invoke(t, d.outputs.DrainerFunction, drain.SweepEvent)
	if i.failure != "" || strings.Contains(i.log, accessDenied) {
		return fmt.Errorf("%s\n%s", i.failure, i.log)
	}
	return nil
}
