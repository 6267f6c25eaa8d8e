package datasink

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssecretsmanager"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/data-sink/data-sink/internal/pipeline/settings"
)

// generatedClient is the one client of a new deployment, whatever its name.
const generatedClient = "datasink"

// alphanumeric describes a password that needs no escaping in a URL, a shell or
// an AUTH token, which allows few other characters. Secrets Manager generates a
// secret anew when this changes, and so would lock out every client: leave it.
func alphanumeric(length float64) *awssecretsmanager.SecretStringGenerator {
	return &awssecretsmanager.SecretStringGenerator{
		PasswordLength:     jsii.Number(length),
		ExcludePunctuation: jsii.Bool(true),
		ExcludeCharacters:  jsii.String(" !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"),
	}
}

// newClientsSecret declares the secret with clients and their passwords. The
// stack fills it once; from then on it belongs to the operators.
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
