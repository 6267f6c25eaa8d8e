// Command ingest is the smallest bootstrap with the clients of ingest: the floor for
// its cold start and its size. If the variable CONNECT has the address of a Redis, the
// bootstrap also reads the secrets clients and redis and connects to that Redis with
// the password in the second one, before it asks for an invocation.
package main

import (
	"context"
	"errors"
	"os"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"
)

func main() {
	cfg, err := config.LoadDefaultConfig(context.Background())
	if err != nil {
		panic(err)
	}
	secrets, objects, wakeUps := secretsmanager.NewFromConfig(cfg), s3.NewFromConfig(cfg), sqs.NewFromConfig(cfg)
	queue := redis.NewUniversalClient(&redis.UniversalOptions{Addrs: []string{"127.0.0.1:1"}})
	if address := os.Getenv("CONNECT"); address != "" {
		if queue, err = connect(context.Background(), secrets, address); err != nil {
			panic(err)
		}
	}
	// Linking the calls is enough; nothing invokes them.
	lambda.Start(func(ctx context.Context, key string) (string, error) {
		_, secretErr := secrets.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &key})
		_, putErr := objects.PutObject(ctx, &s3.PutObjectInput{Bucket: &key, Key: &key})
		_, headErr := objects.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &key})
		_, wakeErr := wakeUps.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: &key, MessageBody: &key})
		return "hello", errors.Join(secretErr, putErr, headErr, wakeErr, queue.RPush(ctx, key, key).Err())
	})
}

// connect reads both secrets at the same time, and connects to Redis.
func connect(ctx context.Context, secrets *secretsmanager.Client, address string) (redis.UniversalClient, error) {
	read := func(id string) (string, error) {
		out, err := secrets.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &id})
		if err != nil {
			return "", err
		}
		return *out.SecretString, nil
	}
	var queue redis.UniversalClient
	var group errgroup.Group
	group.Go(func() error {
		_, err := read("clients")
		return err
	})
	group.Go(func() error {
		password, err := read("redis")
		if err != nil {
			return err
		}
		queue = redis.NewClient(&redis.Options{Addr: address, Password: password})
		return queue.Ping(ctx).Err()
	})
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return queue, nil
}
