package cloudtest

import (
	"bytes"
	"context"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	firehosetypes "github.com/aws/aws-sdk-go-v2/service/firehose/types"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	kinesistypes "github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/data-sink/data-sink/internal/local/cloud"
	"github.com/data-sink/data-sink/internal/pipeline/sink"
)

// ByWire is the door of the wire protocol, by the clients of the AWS SDK.
type ByWire struct {
	kinesis  *kinesis.Client
	firehose *firehose.Client
	s3       *s3.Client
	sqs      *sqs.Client
	secrets  *secretsmanager.Client
	bucket   string
	queueURL string
}

var _ Door = (*ByWire)(nil)

// NewByWire returns the door of the services at an endpoint.
func NewByWire(c aws.Config, bucket, queueURL string) *ByWire {
	return &ByWire{
		kinesis: kinesis.NewFromConfig(c), firehose: firehose.NewFromConfig(c), sqs: sqs.NewFromConfig(c), secrets: secretsmanager.NewFromConfig(c),
		s3: s3.NewFromConfig(c, func(o *s3.Options) { o.UsePathStyle = true }), bucket: bucket, queueURL: queueURL,
	}
}

// result is the result of one record.
func result(id, shard, code *string) cloud.PutResult {
	r := cloud.PutResult{ID: aws.ToString(id), ShardID: aws.ToString(shard)}
	if code != nil {
		r.Err = &cloud.Error{Code: *code}
	}
	return r
}

// PutRecords implements Door.
func (d *ByWire) PutRecords(ctx context.Context, stream string, entries []sink.Entry) ([]cloud.PutResult, error) {
	in := &kinesis.PutRecordsInput{StreamName: &stream}
	for _, e := range entries {
		in.Records = append(in.Records, kinesistypes.PutRecordsRequestEntry{PartitionKey: &e.PartitionKey, Data: e.Data})
	}
	out, err := d.kinesis.PutRecords(ctx, in)
	if err != nil {
		return nil, err
	}
	var results []cloud.PutResult
	for _, r := range out.Records {
		results = append(results, result(r.SequenceNumber, r.ShardId, r.ErrorCode))
	}
	return results, nil
}

// PutRecordBatch implements Door.
func (d *ByWire) PutRecordBatch(ctx context.Context, stream string, entries []sink.Entry) ([]cloud.PutResult, error) {
	in := &firehose.PutRecordBatchInput{DeliveryStreamName: &stream}
	for _, e := range entries {
		in.Records = append(in.Records, firehosetypes.Record{Data: e.Data})
	}
	out, err := d.firehose.PutRecordBatch(ctx, in)
	if err != nil {
		return nil, err
	}
	var results []cloud.PutResult
	for _, r := range out.RequestResponses {
		results = append(results, result(r.RecordId, nil, r.ErrorCode))
	}
	return results, nil
}

// ListStreams implements Door.
func (d *ByWire) ListStreams(ctx context.Context) ([]string, error) {
	var names []string
	for pages := kinesis.NewListStreamsPaginator(d.kinesis, &kinesis.ListStreamsInput{Limit: aws.Int32(1)}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		names = append(names, page.StreamNames...)
	}
	return names, nil
}

// Shards implements Door. All calls that list shards must agree.
func (d *ByWire) Shards(ctx context.Context, stream string) ([]string, error) {
	var ids, listed []string
	in := &kinesis.ListShardsInput{StreamName: &stream}
	for in != nil {
		page, err := d.kinesis.ListShards(ctx, in)
		if err != nil {
			return nil, err
		}
		for _, s := range page.Shards {
			listed = append(listed, *s.ShardId)
		}
		if in = nil; page.NextToken != nil {
			in = &kinesis.ListShardsInput{NextToken: page.NextToken}
		}
	}
	described, err := d.kinesis.DescribeStream(ctx, &kinesis.DescribeStreamInput{StreamName: &stream})
	if err != nil {
		return nil, err
	}
	for _, s := range described.StreamDescription.Shards {
		ids = append(ids, *s.ShardId)
	}
	summary, err := d.kinesis.DescribeStreamSummary(ctx, &kinesis.DescribeStreamSummaryInput{StreamName: &stream})
	if err != nil || !slices.Equal(ids, listed) || int(*summary.StreamDescriptionSummary.OpenShardCount) != len(ids) {
		return append(listed, "DescribeStream has others"), err
	}
	return listed, nil
}

// GetShardIterator implements Door.
func (d *ByWire) GetShardIterator(ctx context.Context, stream, shard string, start cloud.IteratorStart) (string, error) {
	in := &kinesis.GetShardIteratorInput{
		StreamName: &stream, ShardId: &shard, ShardIteratorType: kinesistypes.ShardIteratorType(start.Type), StartingSequenceNumber: optional(start.SequenceNumber),
	}
	if !start.Timestamp.IsZero() {
		in.Timestamp = &start.Timestamp
	}
	out, err := d.kinesis.GetShardIterator(ctx, in)
	if err != nil {
		return "", err
	}
	return *out.ShardIterator, nil
}

// GetRecords implements Door.
func (d *ByWire) GetRecords(ctx context.Context, iterator string, limit int) (cloud.Page, error) {
	in := &kinesis.GetRecordsInput{ShardIterator: &iterator}
	if limit > 0 {
		in.Limit = aws.Int32(int32(limit)) // small numbers of tests
	}
	out, err := d.kinesis.GetRecords(ctx, in)
	if err != nil {
		return cloud.Page{}, err
	}
	page := cloud.Page{NextIterator: aws.ToString(out.NextShardIterator)}
	for _, r := range out.Records {
		page.Records = append(page.Records, cloud.Record{
			SequenceNumber: *r.SequenceNumber, ArrivedAt: *r.ApproximateArrivalTimestamp, PartitionKey: *r.PartitionKey, Data: r.Data,
		})
	}
	return page, nil
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// object describes an object by the headers of a response.
func object(key string, etag *string, modified *time.Time) cloud.Object {
	return cloud.Object{Key: key, ETag: strings.Trim(aws.ToString(etag), `"`), ModifiedAt: aws.ToTime(modified)}
}

// PutObject implements Door.
func (d *ByWire) PutObject(ctx context.Context, key string, c cloud.Conditions, write func(io.Writer) error) (cloud.Object, error) {
	var body bytes.Buffer
	if err := write(&body); err != nil {
		return cloud.Object{}, err
	}
	out, err := d.s3.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &d.bucket, Key: &key, Body: bytes.NewReader(body.Bytes()), IfMatch: optional(c.IfMatch), IfNoneMatch: optional(c.IfNoneMatch),
	})
	if err != nil {
		return cloud.Object{}, err
	}
	return object(key, out.ETag, nil), nil
}

// ReadObject implements Door.
func (d *ByWire) ReadObject(ctx context.Context, key string) (string, cloud.Object, error) {
	out, err := d.s3.GetObject(ctx, &s3.GetObjectInput{Bucket: &d.bucket, Key: &key})
	if err != nil {
		return "", cloud.Object{}, err
	}
	defer func() { _ = out.Body.Close() }() // It was read to its end.
	body, err := io.ReadAll(out.Body)
	return string(body), object(key, out.ETag, out.LastModified), err
}

// HeadObject implements Door.
func (d *ByWire) HeadObject(ctx context.Context, key string) (cloud.Object, error) {
	out, err := d.s3.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &d.bucket, Key: &key})
	if err != nil {
		return cloud.Object{}, err
	}
	return object(key, out.ETag, out.LastModified), nil
}

// DeleteObject implements Door.
func (d *ByWire) DeleteObject(ctx context.Context, key string) error {
	_, err := d.s3.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &d.bucket, Key: &key})
	return err
}

// ListAll implements Door.
func (d *ByWire) ListAll(ctx context.Context, prefix, delimiter string, pageSize int) ([]string, error) {
	in := &s3.ListObjectsV2Input{Bucket: &d.bucket, Prefix: &prefix, Delimiter: optional(delimiter), MaxKeys: aws.Int32(int32(pageSize))} // small numbers of tests
	var names []string
	for pages := s3.NewListObjectsV2Paginator(d.s3, in); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, o := range page.Contents {
			names = append(names, *o.Key)
		}
		for _, p := range page.CommonPrefixes {
			names = append(names, *p.Prefix)
		}
	}
	return names, nil
}

// Send implements Door.
func (d *ByWire) Send(ctx context.Context, body string, delay time.Duration) (string, error) {
	out, err := d.sqs.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: &d.queueURL, MessageBody: &body, DelaySeconds: int32(delay / time.Second)})
	if err != nil {
		return "", err
	}
	return aws.ToString(out.MessageId), nil
}

// ReceiveMessage implements Door.
func (d *ByWire) ReceiveMessage(ctx context.Context, visibility time.Duration) (string, func() error, bool, error) {
	out, err := d.sqs.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: &d.queueURL, VisibilityTimeout: int32(visibility / time.Second)})
	if err != nil || len(out.Messages) == 0 {
		return "", nil, false, err
	}
	m := out.Messages[0]
	return *m.Body, func() error {
		_, err := d.sqs.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: &d.queueURL, ReceiptHandle: m.ReceiptHandle})
		return err
	}, true, nil
}

// GetSecretValue implements Door.
func (d *ByWire) GetSecretValue(ctx context.Context, id string) (string, error) {
	out, err := d.secrets.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &id})
	if err != nil {
		return "", err
	}
	return aws.ToString(out.SecretString), nil
}
