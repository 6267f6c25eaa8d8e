package cloudtest

import (
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

// PutRecords implements Door.
func (d *ByWire) PutRecords(ctx context.Context, stream string, records []Record) ([]string, error) {
	in := &kinesis.PutRecordsInput{StreamName: &stream, Records: make([]kinesistypes.PutRecordsRequestEntry, len(records))}
	for i, r := range records {
		in.Records[i] = kinesistypes.PutRecordsRequestEntry{PartitionKey: aws.String(r.Key), Data: []byte(r.Data)}
	}
	out, err := d.kinesis.PutRecords(ctx, in)
	if err != nil {
		return nil, err
	}
	codes := make([]string, len(out.Records))
	for i, r := range out.Records {
		codes[i] = aws.ToString(r.ErrorCode)
	}
	return codes, nil
}

// PutRecordBatch implements Door.
func (d *ByWire) PutRecordBatch(ctx context.Context, stream string, records []Record) ([]string, error) {
	in := &firehose.PutRecordBatchInput{DeliveryStreamName: &stream, Records: make([]firehosetypes.Record, len(records))}
	for i, r := range records {
		in.Records[i].Data = []byte(r.Data)
	}
	out, err := d.firehose.PutRecordBatch(ctx, in)
	if err != nil {
		return nil, err
	}
	codes := make([]string, len(out.RequestResponses))
	for i, r := range out.RequestResponses {
		codes[i] = aws.ToString(r.ErrorCode)
	}
	return codes, nil
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

// Iterator implements Door.
func (d *ByWire) Iterator(ctx context.Context, stream, shard string, s Start) (string, error) {
	in := &kinesis.GetShardIteratorInput{StreamName: &stream, ShardId: &shard, ShardIteratorType: kinesistypes.ShardIteratorType(s.Type)}
	if s.Sequence != "" {
		in.StartingSequenceNumber = &s.Sequence
	}
	if !s.At.IsZero() {
		in.Timestamp = &s.At
	}
	out, err := d.kinesis.GetShardIterator(ctx, in)
	if err != nil {
		return "", err
	}
	return *out.ShardIterator, nil
}

// GetRecords implements Door.
func (d *ByWire) GetRecords(ctx context.Context, iterator string, limit int) ([]Read, string, error) {
	in := &kinesis.GetRecordsInput{ShardIterator: &iterator}
	if limit > 0 {
		in.Limit = aws.Int32(int32(limit)) // small numbers of tests
	}
	out, err := d.kinesis.GetRecords(ctx, in)
	if err != nil {
		return nil, "", err
	}
	var records []Read
	for _, r := range out.Records {
		records = append(records, Read{Record{*r.PartitionKey, string(r.Data)}, *r.SequenceNumber, *r.ApproximateArrivalTimestamp})
	}
	return records, aws.ToString(out.NextShardIterator), nil
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// PutObject implements Door.
func (d *ByWire) PutObject(ctx context.Context, p Put) (string, error) {
	out, err := d.s3.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &d.bucket, Key: &p.Key, Body: strings.NewReader(p.Body), IfMatch: optional(p.IfMatch), IfNoneMatch: optional(p.IfNoneMatch),
	})
	if err != nil {
		return "", err
	}
	return strings.Trim(*out.ETag, `"`), nil
}

// GetObject implements Door.
func (d *ByWire) GetObject(ctx context.Context, key string) (Object, error) {
	out, err := d.s3.GetObject(ctx, &s3.GetObjectInput{Bucket: &d.bucket, Key: &key})
	if err != nil {
		return Object{}, err
	}
	defer func() { _ = out.Body.Close() }() // It was read to its end.
	body, err := io.ReadAll(out.Body)
	return Object{string(body), strings.Trim(aws.ToString(out.ETag), `"`), aws.ToTime(out.LastModified)}, err
}

// HeadObject implements Door.
func (d *ByWire) HeadObject(ctx context.Context, key string) (Object, error) {
	out, err := d.s3.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &d.bucket, Key: &key})
	if err != nil {
		return Object{}, err
	}
	return Object{ETag: strings.Trim(aws.ToString(out.ETag), `"`), ModifiedAt: aws.ToTime(out.LastModified)}, nil
}

// DeleteObject implements Door.
func (d *ByWire) DeleteObject(ctx context.Context, key string) error {
	_, err := d.s3.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &d.bucket, Key: &key})
	return err
}

// List implements Door.
func (d *ByWire) List(ctx context.Context, prefix, delimiter string, pageSize int) ([]string, error) {
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

// SendMessage implements Door.
func (d *ByWire) SendMessage(ctx context.Context, body string, delay time.Duration) error {
	_, err := d.sqs.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: &d.queueURL, MessageBody: &body, DelaySeconds: int32(delay / time.Second)})
	return err
}

// Receive implements Door.
func (d *ByWire) Receive(ctx context.Context, visibility time.Duration) (string, func() error, bool, error) {
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

// Secret implements Door.
func (d *ByWire) Secret(ctx context.Context, id string) (string, error) {
	out, err := d.secrets.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &id})
	if err != nil {
		return "", err
	}
	return aws.ToString(out.SecretString), nil
}
