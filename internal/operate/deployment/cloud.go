package deployment

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/athena"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/data-sink/data-sink/internal/operate/account"
	"github.com/data-sink/data-sink/internal/operate/bucket"
	"github.com/data-sink/data-sink/internal/operate/clients"
	"github.com/data-sink/data-sink/internal/operate/remote"
	"github.com/data-sink/data-sink/internal/operate/tap"
	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/drain"
	"github.com/data-sink/data-sink/internal/pipeline/env"
	"github.com/data-sink/data-sink/internal/pipeline/pack"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// cloud is a deployment in AWS, or in the emulator that AWS_ENDPOINT_URL names.
type cloud struct {
	Options
	cfg     aws.Config
	account string // account id of the credentials

	mu      sync.Mutex
	outputs map[string]string // stack outputs; nil until they are read
	lags    map[string]remote.Lag
	lagsAt  time.Time // when lags was read
}

func openCloud(ctx context.Context, o Options) (*cloud, error) {
	if err := stream.ValidateDeployment(o.Name); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoTarget, err)
	}
	cfg, id, err := account.Open(ctx, o.Profile, o.Region)
	if errors.Is(err, account.ErrNoRegion) {
		return nil, fmt.Errorf("%w: no local pipeline runs in %s (datasink dev starts one), and %w", ErrNoTarget, o.Data, err)
	}
	if err != nil {
		return nil, err
	}
	return &cloud{Options: o, cfg: cfg, account: id}, nil
}

func (c *cloud) Describe() string {
	text := "deployment " + c.Name + " in account " + c.account + ", " + c.cfg.Region
	if c.cfg.BaseEndpoint != nil {
		text += " at " + *c.cfg.BaseEndpoint
	}
	return text
}

func (c *cloud) Deployment() string { return c.Name }

// output returns an output of the root stack.
func (c *cloud) output(ctx context.Context, name string) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.outputs == nil {
		out, err := cloudformation.NewFromConfig(c.cfg).DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &c.Name})
		if err != nil {
			return "", fmt.Errorf("finding %s: %w", c.Describe(), err)
		}
		c.outputs = make(map[string]string)
		for _, s := range out.Stacks {
			for _, o := range s.Outputs {
				c.outputs[aws.ToString(o.OutputKey)] = aws.ToString(o.OutputValue)
			}
		}
	}
	value, ok := c.outputs[name]
	if !ok {
		return "", fmt.Errorf("finding %s: its stack has no output %s: %w", c.Describe(), name, ErrNotDeployed)
	}
	return value, nil
}

func (c *cloud) API(ctx context.Context) (API, error) {
	url, err := c.output(ctx, "ApiUrl")
	if err != nil {
		return API{}, err
	}
	return c.api(ctx, url, "datasink", c.Clients) // the client that the stack generates
}

func (c *cloud) Archive(ctx context.Context) (Archive, error) {
	name, err := c.output(ctx, "ArchiveBucket")
	if err != nil {
		return Archive{}, err
	}
	client := s3.NewFromConfig(c.cfg, func(o *s3.Options) {
		// Few emulators have a host name for each bucket.
		o.UsePathStyle = o.BaseEndpoint != nil
	})
	return Archive{Bucket: bucket.New(client, name), Store: archive.NewS3(client, name)}, nil
}

// Place reads the outputs of the stack. A stack without a topic has no output for it.
func (c *cloud) Place(ctx context.Context) (Place, error) {
	bucket, err := c.output(ctx, "ArchiveBucket")
	if err != nil {
		return Place{}, err
	}
	topic, err := c.output(ctx, "ObjectsTopic")
	if err != nil && !errors.Is(err, ErrNotDeployed) {
		return Place{}, err
	}
	return Place{Bucket: bucket, Region: c.cfg.Region, Account: c.account, Topic: topic}, nil
}

func (c *cloud) Athena(ctx context.Context, workgroup, results string, statements []string, row func([]string) error) error {
	return remote.Athena{Client: athena.NewFromConfig(c.cfg), Workgroup: workgroup, Results: results}.Run(ctx, statements, row)
}

func (c *cloud) Clients(ctx context.Context) (*clients.Store, error) {
	id, err := c.output(ctx, "ClientsSecret")
	if err != nil {
		return nil, err
	}
	return clients.NewStore(secretsmanager.NewFromConfig(c.cfg), id), nil
}

// ClientsAge returns the default of the setting of ingest, which the stack does not change.
func (c *cloud) ClientsAge() time.Duration { return env.Defaults(env.ParseIngest).ClientsMaxAge }

// Settle returns remote.Settle, which holds for every deployment in AWS.
func (c *cloud) Settle(s stream.Stream) time.Duration { return remote.Settle(s) }

// Inspect invokes the drainer, because Redis is reachable only from its VPC.
func (c *cloud) Inspect(ctx context.Context) (drain.Inspection, error) {
	function, err := c.output(ctx, "DrainerFunction")
	if err != nil {
		return drain.Inspection{}, err
	}
	return remote.Inspect(ctx, lambda.NewFromConfig(c.cfg), function)
}

// lagsFor is how long the answer of Lags is used again. CloudWatch charges for each
// metric that is read, and has one data point a minute.
const lagsFor = time.Minute

// Lags reads CloudWatch at most once a minute.
func (c *cloud) Lags(ctx context.Context, streams []string) (map[string]remote.Lag, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.lagsAt) < lagsFor {
		return c.lags, nil
	}
	lags, err := remote.Lags(ctx, cloudwatch.NewFromConfig(c.cfg), c.Name, streams)
	if err != nil {
		return nil, err
	}
	c.lags, c.lagsAt = lags, time.Now()
	return lags, nil
}

func (c *cloud) Tap(ctx context.Context, streamName string, w tap.Window, each func(tap.Record) error) error {
	return tap.NewFromConfig(c.cfg).Read(ctx, stream.ResourceName(c.Name, streamName), w, each)
}

// Packed reads the log groups of the drainer and the bridge. A deployment without any
// tap has no bridge.
func (c *cloud) Packed(ctx context.Context, streamName string, from, to time.Time, each func(pack.Line) error) error {
	words, lines := []string{pack.LogPacked, streamName}, packedLines(streamName, from, to, each)
	if err := c.Logs(ctx, "drainer", words, from, to, lines); err != nil {
		return err
	}
	if err := c.Logs(ctx, "bridge", words, from, to, lines); !errors.Is(err, ErrNotDeployed) {
		return err
	}
	return nil
}

// Direct reads the log group of ingest.
func (c *cloud) Direct(ctx context.Context, streamName string, from, to time.Time, each func(archive.Line) error) error {
	return c.Logs(ctx, "ingest", []string{archive.LogArchived, streamName}, from, to, directLines(streamName, from, to, each))
}
