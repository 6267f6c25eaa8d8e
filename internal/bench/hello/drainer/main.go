// Command drainer is the least that a bootstrap with the clients of the drainer
// function can be: the floor for its cold start and its size.
package main

import (
	"context"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/redis/go-redis/v9"
)

func main() { lambda.Start(hello) }

// hello calls every client, so that the linker keeps what a call needs.
func hello(ctx context.Context, key string) (string, error) {
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return "", err
	}
	if _, err := secretsmanager.NewFromConfig(cfg).GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &key}); err != nil {
		return "", err
	}
	if _, err := kinesis.NewFromConfig(cfg).PutRecords(ctx, &kinesis.PutRecordsInput{StreamName: &key}); err != nil {
		return "", err
	}
	if _, err := s3.NewFromConfig(cfg).PutObject(ctx, &s3.PutObjectInput{Bucket: &key, Key: &key}); err != nil {
		return "", err
	}
	if _, err := sqs.NewFromConfig(cfg).SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: &key, MessageBody: &key}); err != nil {
		return "", err
	}
	return "hello", redis.NewUniversalClient(&redis.UniversalOptions{Addrs: []string{key}}).LPop(ctx, key).Err()
}
