// Command drainer is the smallest bootstrap with the clients of the drainer: the
// floor for its cold start and its size.
package main

import (
	"context"
	"errors"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/redis/go-redis/v9"
)

func main() {
	cfg, err := config.LoadDefaultConfig(context.Background())
	if err != nil {
		panic(err)
	}
	secrets, records, objects, wakeUps := secretsmanager.NewFromConfig(cfg), kinesis.NewFromConfig(cfg), s3.NewFromConfig(cfg), sqs.NewFromConfig(cfg)
	queue := redis.NewUniversalClient(&redis.UniversalOptions{Addrs: []string{"127.0.0.1:1"}})
	// Linking the calls is enough; nothing invokes them.
	lambda.Start(func(ctx context.Context, key string) (string, error) {
		_, secretErr := secrets.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &key})
		_, recordsErr := records.PutRecords(ctx, &kinesis.PutRecordsInput{StreamName: &key})
		_, putErr := objects.PutObject(ctx, &s3.PutObjectInput{Bucket: &key, Key: &key})
		_, wakeErr := wakeUps.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: &key, MessageBody: &key})
		return "hello", errors.Join(secretErr, recordsErr, putErr, wakeErr, queue.LPop(ctx, key).Err())
	})
}
