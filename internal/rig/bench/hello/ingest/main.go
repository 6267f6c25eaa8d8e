// Command ingest is the smallest bootstrap with the clients of ingest: the floor for
// its cold start and its size.
package main

import (
	"context"
	"errors"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/config"
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
	secrets, objects, wakeUps := secretsmanager.NewFromConfig(cfg), s3.NewFromConfig(cfg), sqs.NewFromConfig(cfg)
	queue := redis.NewUniversalClient(&redis.UniversalOptions{Addrs: []string{"127.0.0.1:1"}})
	// Linking the calls is enough; nothing invokes them.
	lambda.Start(func(ctx context.Context, key string) (string, error) {
		_, secretErr := secrets.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &key})
		_, putErr := objects.PutObject(ctx, &s3.PutObjectInput{Bucket: &key, Key: &key})
		_, headErr := objects.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &key})
		_, wakeErr := wakeUps.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: &key, MessageBody: &key})
		return "hello", errors.Join(secretErr, putErr, headErr, wakeErr, queue.RPush(ctx, key, key).Err())
	})
}
