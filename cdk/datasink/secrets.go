package datasink

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssecretsmanager"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/data-sink/data-sink/internal/pipeline/settings"
)

// generatedClient is the name of the only client of a new deployment.
const generatedClient = "datasink"

// alphanumeric describes a password that needs no escaping in a URL or a shell, and that
// is a valid AUTH token. Do not change it: Secrets Manager would generate the secrets of
// existing deployments again and lock out every client.
func alphanumeric(length float64) *awssecretsmanager.SecretStringGenerator {
	return &awssecretsmanager.SecretStringGenerator{
		PasswordLength:     jsii.Number(length),
		ExcludePunctuation: jsii.Bool(true),
		ExcludeCharacters:  jsii.String(" !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"),
	}
}

// newClientsSecret declares the secret with the clients and their passwords. The stack
// fills it once; after that only the operators change it.
func newClientsSecret(scope constructs.Construct, s settings.Settings) awssecretsmanager.Secret {
	generate := alphanumeric(43) // 256 bits
	generate.SecretStringTemplate = jsii.String("{}")
	generate.GenerateStringKey = jsii.String(generatedClient)
	return awssecretsmanager.NewSecret(scope, jsii.String("Clients"), &awssecretsmanager.SecretProps{
		SecretName:           jsii.String(clientsSecretName(s)),
		Description:          jsii.String("Data Sink " + s.Name + ": clients, their passwords, and the streams that they may write to"),
		GenerateSecretString: generate,
		RemovalPolicy:        awscdk.RemovalPolicy_DESTROY,
	})
}

func clientsSecretName(s settings.Settings) string { return s.Name + ".clients" }

func cacheSecretName(s settings.Settings) string { return s.Name + ".cache" }

// cacheUserSecretName is the name of the secret of a serverless cache. It differs from
// cacheSecretName: a deploy that changes the kind of cache has both secrets for a while.
func cacheUserSecretName(s settings.Settings) string { return s.Name + ".cache-user" }
