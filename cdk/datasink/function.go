package datasink

import (
	"path/filepath"
	"strconv"
	"time"

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
	"github.com/data-sink/data-sink/internal/pipeline/settings"
)

// resources are the resources that the functions use.
type resources struct {
	bucket  awss3.IBucket
	clients awssecretsmanager.ISecret
	queue   awssqs.IQueue
	redis   redis
	network *network // nil: the functions are in no VPC
}

// objects returns the ARN pattern of the objects under a prefix of the archive.
func (r resources) objects(prefix string) *string { return r.bucket.ArnForObjects(jsii.String(prefix)) }

// function describes one Lambda function.
type function struct {
	id, name    string
	reads       []env.Setting
	seconds     float64
	memory      int // MB
	concurrency int // reserved; 0: none
	quiet       bool
	may         []awsiam.PolicyStatement
	more        awslambda.FunctionProps
}

// newFunction declares a function with its role and its log group. net is nil for a
// function that is in no VPC. values are the variables that the stack sets; all others get
// their default.
func newFunction(stack awscdk.Stack, d deployment, net *network, f function, values map[string]*string) awslambda.Function {
	logs := newLogGroup(stack, f.id+"Logs", d.Settings, logGroupName(d.Settings, f.name))
	statements := append(f.may, allow(on(logs.AttrArn()), "logs:CreateLogStream", "logs:PutLogEvents"))
	if net != nil {
		statements = append(statements, inVPC(stack, d.Settings, f.name)...)
	}
	props := f.more
	if d.Tracing {
		statements = append(statements, traced())
		props.Tracing = awslambda.Tracing_ACTIVE
	}
	props.FunctionName = jsii.String(functionName(d.Settings, f.name))
	props.Runtime = awslambda.Runtime_PROVIDED_AL2023()
	props.Handler = jsii.String("bootstrap")
	props.Architecture = awslambda.Architecture_ARM_64()
	if d.Architecture == settings.X86 {
		props.Architecture = awslambda.Architecture_X86_64()
	}
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
	if net != nil {
		props.Vpc = net.vpc
		if d.IPv6() {
			props.Ipv6AllowedForDualStack = jsii.Bool(true)
		}
		props.VpcSubnets = &awsec2.SubnetSelection{Subnets: net.subnets.Subnets}
		props.SecurityGroups = &[]awsec2.ISecurityGroup{
			awsec2.SecurityGroup_FromSecurityGroupId(stack, jsii.String(f.id+"Group"), net.functions, nil),
		}
	}
	fn := awslambda.NewFunction(stack, jsii.String(f.id), &props)
	if net != nil {
		fn.Node().AddDependency(net.ways...)
	}
	return fn
}

// values returns the variables of the functions that differ from their defaults.
func values(d deployment, r resources) map[string]*string {
	secret := r.redis.secret
	if secret == nil {
		secret = jsii.String("")
	}
	number := func(n int) *string { return jsii.String(strconv.Itoa(n)) }
	return map[string]*string{
		env.Name:              jsii.String(d.Name),
		env.ArchiveBucket:     r.bucket.BucketName(),
		env.StreamMetrics:     jsii.String(d.StreamMetrics),
		env.RedisURL:          r.redis.url,
		env.RedisSecret:       secret,
		env.ClientsSecret:     r.clients.SecretArn(),
		env.WakeQueueURL:      r.queue.QueueUrl(),
		env.WaitReplicas:      number(d.WaitReplicas),
		env.BypassQueue:       jsii.String(strconv.FormatBool(d.BypassQueue)),
		env.IdempotencyWindow: jsii.String((time.Duration(d.IdempotencyMinutes) * time.Minute).String()),
		env.DualStack:         jsii.String(strconv.FormatBool(d.IPv6())),
		env.MaxBodyBytes:      number(d.MaxBodyBytes),
		env.MaxDecodedBytes:   number(d.MaxDecodedBytes),
		env.MaxDrainers:       number(d.StreamDrainers),
		env.Version:           jsii.String(d.Version),
	}
}

// environment sets every variable that a function reads, also those with a default,
// so that the console shows all values in use.
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
