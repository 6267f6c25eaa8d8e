//go:build e2e

package e2e_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/data-sink/data-sink/internal/operate/manifest"
	"github.com/data-sink/data-sink/internal/pipeline/pack"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// testTables reads the tables of the Data Catalog.
func (d *deployment) testTables(t *testing.T) {
	type column struct{ Name, Type string }
	var catalog struct {
		TableList []struct {
			Name              string
			PartitionKeys     []column
			Parameters        map[string]string
			StorageDescriptor struct {
				Location string
				Columns  []column
			}
		}
	}
	d.cloud.json(t, "glue", "AWSGlue.GetTables", map[string]string{"DatabaseName": d.outputs.LakeDatabase}, &catalog)
	var want []string
	for _, s := range d.streams.Streams {
		if s.HasTable() {
			want = append(want, s.TableName())
		}
	}
	var got []string
	for _, table := range catalog.TableList {
		got = append(got, table.Name)
		folder := "s3://" + d.archive.name + "/" + strings.ReplaceAll(table.Name, "_", "-") + "/"
		if table.StorageDescriptor.Location != folder || table.Parameters["storage.location.template"] != folder+"dt=${dt}/hour=${hour}/" || table.Parameters["projection.enabled"] != "true" {
			t.Errorf("table %s reads %s with %v, want %s", table.Name, table.StorageDescriptor.Location, table.Parameters, folder)
		}
		if columns := fmt.Sprint(table.StorageDescriptor.Columns, table.PartitionKeys); columns != "[{body string}] [{dt string} {hour int}]" {
			t.Errorf("table %s has the columns %s", table.Name, columns)
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) || len(got) == 0 {
		t.Errorf("the database has the tables %v, want %v", got, want)
	}
}

// testNestedOutputs finds the outputs of a stream as the README does.
func (d *deployment) testNestedOutputs(t *testing.T) {
	all, err := d.cloud.cloudformation.DescribeStacks(t.Context(), &cloudformation.DescribeStacksInput{})
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]string)
	for _, s := range all.Stacks {
		if aws.ToString(s.Description) == "Data Sink "+stackName+": stream orders" {
			for _, o := range s.Outputs {
				got[*o.OutputKey] = *o.OutputValue
			}
		}
	}
	for output, suffix := range map[string]string{"KinesisStreamArn": ":stream/datasink.orders", "FirehoseArn": ":deliverystream/datasink.orders"} {
		if !strings.HasSuffix(got[output], suffix) {
			t.Errorf("output %s of the stream orders is %q, want an ARN that ends in %s", output, got[output], suffix)
		}
	}
}

// subscribe subscribes a new queue to the topic of notifications.
func (d *deployment) subscribe(t *testing.T) {
	t.Helper()
	created, err := d.cloud.sqs.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("subscriber")})
	if err != nil {
		t.Fatal(err)
	}
	d.subscriber = *created.QueueUrl
	arn := "arn:aws:sqs:" + region + ":" + account + ":subscriber"
	policy := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"sns.amazonaws.com"},"Action":"sqs:SendMessage","Resource":"` + arn +
		`","Condition":{"ArnEquals":{"aws:SourceArn":"` + d.outputs.ObjectsTopic + `"}}}]}`
	if _, err := d.cloud.sqs.SetQueueAttributes(t.Context(), &sqs.SetQueueAttributesInput{QueueUrl: &d.subscriber, Attributes: map[string]string{"Policy": policy}}); err != nil {
		t.Fatal(err)
	}
	values := url.Values{"Action": {"Subscribe"}, "Version": {"2010-03-31"}, "TopicArn": {d.outputs.ObjectsTopic}, "Protocol": {"sqs"}, "Endpoint": {arn}}
	d.cloud.call(t, "sns", http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, []byte(values.Encode()))
}

// notified waits for notifications of all keys, and returns every key that was notified
// until then.
func (d *deployment) notified(t *testing.T, keys ...string) map[string]bool {
	t.Helper()
	got := make(map[string]bool)
	await(t, swept, "notifications", func() error {
		for {
			received := d.receive(t)
			for _, key := range received {
				got[key] = true
			}
			if len(received) == 0 {
				break
			}
		}
		for _, key := range keys {
			if !got[key] {
				return fmt.Errorf("no notification of %s among those of %d keys", key, len(got))
			}
		}
		return nil
	})
	return got
}

// receive receives notifications, and returns the keys of their objects.
func (d *deployment) receive(t *testing.T) []string {
	t.Helper()
	out, err := d.cloud.sqs.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &d.subscriber, MaxNumberOfMessages: 10})
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	var done []types.DeleteMessageBatchRequestEntry
	for _, m := range out.Messages {
		var envelope struct{ Message string }
		var event struct {
			Detail struct{ Object struct{ Key string } }
		}
		if err := errors.Join(json.Unmarshal([]byte(*m.Body), &envelope), json.Unmarshal([]byte(envelope.Message), &event)); err != nil {
			t.Fatalf("%v: %s", err, *m.Body)
		}
		keys = append(keys, event.Detail.Object.Key)
		done = append(done, types.DeleteMessageBatchRequestEntry{Id: aws.String(fmt.Sprint(len(done))), ReceiptHandle: m.ReceiptHandle})
	}
	if len(done) > 0 {
		if _, err := d.cloud.sqs.DeleteMessageBatch(t.Context(), &sqs.DeleteMessageBatchInput{QueueUrl: &d.subscriber, Entries: done}); err != nil {
			t.Fatal(err)
		}
	}
	return keys
}

// testNotifications sends a record, whose object must be notified. A dead letter must not.
func (d *deployment) testNotifications(t *testing.T) {
	d.subscribe(t)
	d.putObject(t, "failed/drainer/orders/dt=2026-11-22/hour=07/dead", []byte("a dead letter"))
	d.send(t, "orders", text("notified"))
	d.archive.awaitAll(t, archived)
	key := d.archivedByFirehose(t, "orders")
	d.putObject(t, key+"-last", []byte("the last object"))
	for key := range d.notified(t, key+"-last") {
		if !strings.HasPrefix(key, "orders/") {
			t.Errorf("a notification of %s", key)
		}
	}
	d.deleteObject(t, key+"-last")
}

// testManifest lets the verifier write the manifest of an hour that is over. Its traffic
// is an object and the log line of a packed record, because the emulator's clock cannot be
// set. The hour is so old that no scheduled run of the verifier reaches it.
func (d *deployment) testManifest(t *testing.T) {
	hour := time.Now().UTC().Add(-30 * time.Hour).Truncate(time.Hour)
	s := stream.Stream{Name: "orders", Compression: stream.Gzip}
	lines := []byte("first line\nsecond line")
	past := s.Folder(hour) + "datasink.orders-past" + s.Suffix()
	d.putObject(t, past, gzipped(t, lines)) // ends the last line too
	d.writeLog(t, d.outputs.BridgeFunction, hour.Add(time.Minute), pack.Packed{Body: append(lines, '\n'), End: 2}.Line(s.Name))

	i := d.cloud.invoke(t, d.outputs.VerifierFunction, fmt.Sprintf(`{"from":%q,"to":%q}`, hour.Format(time.RFC3339), hour.Add(time.Hour).Format(time.RFC3339)))
	if i.failure != "" {
		t.Fatalf("%s\n%s", i.failure, i.log)
	}
	key := manifest.Folder + s.Folder(hour)
	key = strings.TrimSuffix(key, "/") + ".json"
	// The other streams have a manifest without entries, for which a sensor can wait.
	d.notified(t, key, strings.Replace(key, "/orders/", "/page-views/", 1))
	var m manifest.Manifest
	if err := json.Unmarshal(d.archive.get(t, key), &m); err != nil {
		t.Fatal(err)
	}
	listed := make(map[string]int64)
	for _, e := range m.Entries {
		listed[e.URL] = e.Meta.ContentLength
		if e.Meta.RecordCount == nil || *e.Meta.RecordCount != 2 || e.Meta.Bodies != 2 {
			t.Errorf("the manifest has the entry %+v, want two lines of two bodies", e)
		}
	}
	inBucket := make(map[string]int64)
	for key, content := range d.archive.objects(t, s.Folder(hour)) {
		inBucket["s3://"+d.archive.name+"/"+key] = int64(len(content))
	}
	if !maps.Equal(listed, inBucket) || len(inBucket) != 1 {
		t.Errorf("the manifest lists %v, the bucket has %v", listed, inBucket)
	}
	d.deleteObject(t, past) // nobody has sent it
}

// putObject writes an object with the access of an operator.
func (d *deployment) putObject(t *testing.T, key string, content []byte) {
	t.Helper()
	if _, err := d.cloud.s3.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &d.archive.name, Key: &key, Body: bytes.NewReader(content)}); err != nil {
		t.Fatal(err)
	}
}

func (d *deployment) deleteObject(t *testing.T, key string) {
	t.Helper()
	if _, err := d.cloud.s3.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &d.archive.name, Key: &key}); err != nil {
		t.Fatal(err)
	}
}

// writeLog writes the line of a packed record into the log of the bridge.
func (d *deployment) writeLog(t *testing.T, function string, at time.Time, line pack.Line) {
	t.Helper()
	line.FirstSequence, line.LastSequence = "1", "2"
	var message bytes.Buffer
	handler := slog.NewJSONHandler(&message, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Time(slog.TimeKey, at)
		}
		return a
	}})
	line.Log(t.Context(), slog.New(handler))
	_, short, _ := strings.Cut(function, "-")
	group := "/" + stackName + "/" + short
	logs := func(operation string, in map[string]any) {
		in["logGroupName"], in["logStreamName"] = group, "past"
		d.cloud.json(t, "logs", "Logs_20140328."+operation, in, new(map[string]any))
	}
	logs("CreateLogStream", map[string]any{})
	logs("PutLogEvents", map[string]any{"logEvents": []any{map[string]any{"timestamp": at.UnixMilli(), "message": message.String()}}})
}
