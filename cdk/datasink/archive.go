package datasink

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/data-sink/data-sink/internal/pipeline/settings"
)

// newArchive declares the bucket of the archive. The bucket is retained when the stack is
// deleted. It has no versioning, because a key is only ever written with the same bytes.
func newArchive(scope constructs.Construct, s settings.Settings) awss3.Bucket {
	rules := []*awss3.LifecycleRule{{
		Id:                                  jsii.String("abandoned-uploads"),
		AbortIncompleteMultipartUploadAfter: awscdk.Duration_Days(jsii.Number(7)),
	}}
	if s.FailedExpiresDays > 0 {
		rules = append(rules, &awss3.LifecycleRule{
			Id:         jsii.String("failed"),
			Prefix:     jsii.String("failed/"),
			Expiration: awscdk.Duration_Days(jsii.Number(s.FailedExpiresDays)),
		})
	}
	bucket := awss3.NewBucket(scope, jsii.String("Archive"), &awss3.BucketProps{
		BlockPublicAccess: awss3.BlockPublicAccess_BLOCK_ALL(),
		Encryption:        awss3.BucketEncryption_S3_MANAGED,
		EnforceSSL:        jsii.Bool(true),
		ObjectOwnership:   awss3.ObjectOwnership_BUCKET_OWNER_ENFORCED,
		LifecycleRules:    &rules,
		RemovalPolicy:     awscdk.RemovalPolicy_RETAIN_ON_UPDATE_OR_DELETE,
	})
	for _, m := range failedWrites {
		bucket.AddMetric(&awss3.BucketMetrics{Id: jsii.String(m.id), Prefix: jsii.String(m.prefix)})
	}
	return bucket
}

// failedWrites are the folders to which AWS services write dead letters. The functions
// have metrics for their own dead letters; for these folders S3 counts the requests. S3
// charges for such a metric only while it has values.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/metrics-configurations.html
var failedWrites = []struct{ id, prefix string }{
	{lambdaWrites, "aws/lambda/"},
	{"firehose", "failed/firehose/"},
}

// lambdaWrites is the ID of the writes of the mappings between taps and the bridge.
const lambdaWrites = "lambda"

// manifests is the folder of the lists of the objects of complete hours.
const manifests = "_manifests/"

// onlyWritesManifests lets only that role write manifests, whatever other policies allow.
func onlyWritesManifests(bucket awss3.Bucket, role awsiam.IRole) {
	others := deny(on(bucket.ArnForObjects(jsii.String(manifests+"*"))), "s3:PutObject")
	others.AddAnyPrincipal()
	others.AddCondition(jsii.String("ArnNotEquals"), map[string]any{"aws:PrincipalArn": role.RoleArn()})
	bucket.AddToResourcePolicy(others)
}
