// Command bridge is the smallest bootstrap with the clients of the bridge: the floor
// for its cold start and its size.
package main

import (
	"context"
	"errors"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

func main() {
	cfg, err := config.LoadDefaultConfig(context.Background())
	if err != nil {
		panic(err)
	}
	deliveries, objects := firehose.NewFromConfig(cfg), s3.NewFromConfig(cfg)
	// Linking the calls is enough; nothing invokes them.
	lambda.Start(func(ctx context.Context, key string) (string, error) {
		_, batchErr := deliveries.PutRecordBatch(ctx, &firehose.PutRecordBatchInput{DeliveryStreamName: &key})
		_, putErr := objects.PutObject(ctx, &s3.PutObjectInput{Bucket: &key, Key: &key})
		return "hello", errors.Join(batchErr, putErr)
	})
}
