package datasink

import (
	"path/filepath"
	"strconv"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssecretsmanager"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/jsii-runtime-go"

	"github.com/data-sink/data-sink/internal/pipeline/env"
)

const (
	ingestSeconds  = 10
	drainerSeconds = 55
	bridgeSeconds  = 60
)

// resources are what the functions work with.
type resources struct {
	bucket  awss3.IBucket
	clients awssecretsmanager.ISecret
	queue   awssqs.IQueue
	redis   redis
	network *network // nil: in no VPC
}

type allFunctions struct{ ingest, drainer, bridge awslambda.Function }

// function is what one function has for itself.
type function struct {
	id, name    string
	reads       []env.Setting
	seconds     float64
	memory      int // MB
	concurrency int // reserved; 0: none
	quiet       bool
	inVPC       bool
	may         []awsiam.PolicyStatement
	more        awslambda.FunctionProps
}

func newFunctions(stack awscdk.Stack, d deployment, r resources) allFunctions {
	object := func(prefix string) *string { return r.bucket.ArnForObjects(jsii.String(prefix)) }
	secrets := on(secretARN(stack, clientsSecretName(d.settings)))
	var cacheSecret []*string
	if r.redis.secretGrant != nil {
		secrets = append(secrets, r.redis.secretGrant)
		cacheSecret = on(r.redis.secretGrant)
	}

	drainer := function{
		id: "Drainer", name: "drainer", reads: env.Settings(env.ParseDrainer),
		seconds: drainerSeconds, memory: d.drainerMemory, inVPC: d.inVPC(),
		may: []awsiam.PolicyStatement{
			allow(on(streamsARN(stack, d.settings)), "kinesis:PutRecords"),
			allow(on(r.queue.QueueArn()), "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage", "sqs:SendMessage"),
			allow(on(object("failed/drainer/*")), "s3:PutObject"),
		},
		more: awslambda.FunctionProps{
			Description: jsii.String("Data Sink: from the queue to Kinesis"),
			// A drainer that leaves work behind wakes its successor.
			RecursiveLoop: awslambda.RecursiveLoop_ALLOW,
			// The next sweep is at most a minute away.
			RetryAttempts: jsii.Number(0), MaxEventAge: awscdk.Duration_Minutes(jsii.Number(1)),
		},
	}
	if cacheSecret != nil {
		drainer.may = append(drainer.may, allow(cacheSecret, "secretsmanager:GetSecretValue"))
	}
	ingest := function{
		id: "Ingest", name: "ingest", reads: env.Settings(env.ParseIngest),
		seconds: ingestSeconds, memory: d.ingestMemory, concurrency: d.ingestConcurrency, inVPC: d.inVPC(),
		// A start and an end line for each record would cost more than the record.
		quiet: true,
		may: []awsiam.PolicyStatement{
			allow(secrets, "secretsmanager:GetSecretValue"),
			allow(on(r.queue.QueueArn()), "sqs:SendMessage"),
			allow(on(object("*/dt=*")), "s3:PutObject"),
			// GET /health asks whether the archive is there.
			allow(on(r.bucket.BucketArn()), "s3:ListBucket"),
		},
		more: awslambda.FunctionProps{Description: jsii.String("Data Sink: from HTTP into the queue")},
	}
	bridge := function{
		id: "Bridge", name: "bridge", reads: env.Settings(env.ParseBridge),
		seconds: bridgeSeconds, memory: d.bridgeMemory,
		may: []awsiam.PolicyStatement{
			allow(on(streamsARN(stack, d.settings)), "kinesis:DescribeStream", "kinesis:DescribeStreamSummary", "kinesis:GetRecords", "kinesis:GetShardIterator", "kinesis:ListShards"),
			allow(on(firehosesARN(stack, d.settings)), "firehose:PutRecordBatch"),
			// Under aws/lambda/ Lambda itself writes, as this role, what the
			// mapping has given up.
			allow(on(object("failed/bridge/*"), object("aws/lambda/*")), "s3:PutObject"),
			allow(on(r.bucket.BucketArn()), "s3:ListBucket"),
		},
		more: awslambda.FunctionProps{Description: jsii.String("Data Sink: from Kinesis to Firehose")},
	}

	values := values(d, r)
	var all allFunctions
	all.drainer = newFunction(stack, d, r.network, drainer, values)
	all.bridge = newFunction(stack, d, r.network, bridge, values)
	all.ingest = newFunction(stack, d, r.network, ingest, values)
	// What a new ingest pushes, the drainer must understand already.
	all.ingest.Node().AddDependency(all.drainer)
	return all
}

// values are the variables that the stack sets to something of its own; all
// others get their default.
func values(d deployment, r resources) map[string]*string {
	secret := r.redis.secret
	if secret == nil {
		secret = jsii.String("")
	}
	number := func(n int) *string { return jsii.String(strconv.Itoa(n)) }
	return map[string]*string{
		env.Name:            jsii.String(d.name),
		env.ArchiveBucket:   r.bucket.BucketName(),
		env.StreamMetrics:   jsii.String(d.streamMetrics),
		env.RedisURL:        r.redis.url,
		env.RedisSecret:     secret,
		env.ClientsSecret:   r.clients.SecretArn(),
		env.WakeQueueURL:    r.queue.QueueUrl(),
		env.WaitReplicas:    number(d.waitReplicas),
		env.MaxBodyBytes:    number(d.maxBodyBytes),
		env.MaxDecodedBytes: number(d.maxDecodedBytes),
		env.MaxDrainers:     number(d.streamDrainers),
	}
}

// environment sets every variable that a function reads, also those that have a
// default, so that the console shows what is in force.
func environment(reads []env.Setting, values map[string]*string) *map[string]*string {
	variables := make(map[string]*string, len(reads))
	for _, s := range reads {
		variables[s.Name] = jsii.String(s.Default)
		if value, ok := values[s.Name]; ok {
			variables[s.Name] = value
		}
	}
	return &variables
}

func newFunction(stack awscdk.Stack, d deployment, net *network, f function, values map[string]*string) awslambda.Function {
	logs := newLogGroup(stack, f.id+"Logs", d.settings, logGroupName(d.settings, f.name))
	statements := append(f.may, allow(on(logs.AttrArn()), "logs:CreateLogStream", "logs:PutLogEvents"))
	if f.inVPC {
		statements = append(statements, inVPC(stack, d.settings, f.name)...)
	}
	props := f.more
	if d.tracing {
		statements = append(statements, traced())
		props.Tracing = awslambda.Tracing_ACTIVE
	}
	props.FunctionName = jsii.String(functionName(d.settings, f.name))
	props.Runtime = awslambda.Runtime_PROVIDED_AL2023()
	props.Handler = jsii.String("bootstrap")
	props.Architecture = map[string]func() awslambda.Architecture{"arm64": awslambda.Architecture_ARM_64, "x86_64": awslambda.Architecture_X86_64}[d.architecture]()
	props.Code = awslambda.Code_FromAsset(jsii.String(filepath.Join(d.assets, f.name)), nil)
	props.Environment = environment(f.reads, values)
	props.Timeout = awscdk.Duration_Seconds(jsii.Number(f.seconds))
	props.MemorySize = jsii.Number(f.memory)
	props.Role = newRole(stack, f.id+"Role", "lambda.amazonaws.com", nil, statements...)
	props.LogGroup = awslogs.LogGroup_FromLogGroupName(stack, jsii.String(f.id+"LogsName"), logs.Ref())
	props.LoggingFormat = awslambda.LoggingFormat_JSON
	props.SystemLogLevelV2 = awslambda.SystemLogLevel_INFO
	if f.quiet {
		props.SystemLogLevelV2 = awslambda.SystemLogLevel_WARN
	}
	if f.concurrency > 0 {
		props.ReservedConcurrentExecutions = jsii.Number(f.concurrency)
	}
	if f.inVPC {
		props.Vpc = net.vpc
		props.VpcSubnets = &awsec2.SubnetSelection{Subnets: net.subnets.Subnets}
		props.SecurityGroups = &[]awsec2.ISecurityGroup{
			awsec2.SecurityGroup_FromSecurityGroupId(stack, jsii.String(f.id+"Group"), net.functions, nil),
		}
	}
	return awslambda.NewFunction(stack, jsii.String(f.id), &props)
}
