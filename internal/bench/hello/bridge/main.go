// Command bridge is the least that a bootstrap with the clients of the bridge
// function can be: the floor for its cold start and its size.
package main

import (
	"context"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

func main() { lambda.Start(hello) }

// hello calls every client, so that the linker keeps what a call needs.
func hello(ctx context.Context, key string) (string, error) {
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return "", err
	}
	if _, err := firehose.NewFromConfig(cfg).PutRecordBatch(ctx, &firehose.PutRecordBatchInput{DeliveryStreamName: &key}); err != nil {
		return "", err
	}
	_, err = s3.NewFromConfig(cfg).PutObject(ctx, &s3.PutObjectInput{Bucket: &key, Key: &key})
	return "hello", err
}
