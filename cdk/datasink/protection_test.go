package datasink

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEverythingIsEncrypted(t *testing.T) {
	a := synth(t, nil, fourStreams)
	checked := 0
	for _, tpl := range a.all() {
		for id, r := range tpl.Resources {
			var encrypted bool
			switch r.Type {
			case "AWS::S3::Bucket":
				encrypted = strings.Contains(asJSON(r.Properties["BucketEncryption"]), `"SSEAlgorithm":"AES256"`)
			case "AWS::SQS::Queue":
				encrypted = r.Properties["SqsManagedSseEnabled"] == true
			case "AWS::Kinesis::Stream":
				encrypted = at(r.Properties, "StreamEncryption", "EncryptionType") == "KMS"
			case "AWS::KinesisFirehose::DeliveryStream":
				encrypted = at(r.Properties, "DeliveryStreamEncryptionConfigurationInput", "KeyType") == "AWS_OWNED_CMK"
			case "AWS::ElastiCache::ReplicationGroup":
				encrypted = r.Properties["AtRestEncryptionEnabled"] == true
			default: // secrets, logs and environments always are
				continue
			}
			checked++
			if !encrypted {
				t.Errorf("%s, a %s, is not encrypted", id, r.Type)
			}
		}
	}
	if want := 4 + 2*len(a.nested); checked != want {
		t.Errorf("%d resources hold data, want %d", checked, want)
	}
}

func TestNothingIsReachedWithoutTLS(t *testing.T) {
	root := synth(t, map[string]any{"domainName": "sink.example.com", "certificateArn": "arn:aws:acm:eu-west-1:123456789012:certificate/0a1b"}, fourStreams).root
	for _, kind := range []struct{ guarded, policy, actions string }{
		{"AWS::S3::Bucket", "AWS::S3::BucketPolicy", "s3:*"}, {"AWS::SQS::Queue", "AWS::SQS::QueuePolicy", "sqs:*"},
	} {
		policies := ofType(root, kind.policy)
		if len(policies) != len(ofType(root, kind.guarded)) {
			t.Errorf("%d of %s for %d of %s", len(policies), kind.policy, len(ofType(root, kind.guarded)), kind.guarded)
		}
		for id, p := range policies {
			found, _ := at(p.Properties, "PolicyDocument", "Statement").([]any)
			if len(found) != 1 {
				t.Fatalf("%s has %d statements, want the one that asks for TLS", id, len(found))
			}
			statement := found[0].(object)
			delete(statement, "Resource")
			want := object{"Effect": "Deny", "Principal": object{"AWS": "*"}, "Action": kind.actions, "Condition": object{"Bool": object{"aws:SecureTransport": "false"}}}
			if diff := cmp.Diff(want, statement); diff != "" {
				t.Errorf("%s (-want +got):\n%s", id, diff)
			}
		}
	}
	cache := only(t, root, "AWS::ElastiCache::ReplicationGroup").Properties
	if cache["TransitEncryptionEnabled"] != true || cache["TransitEncryptionMode"] != "required" {
		t.Errorf("the cache talks %v, %v", cache["TransitEncryptionEnabled"], cache["TransitEncryptionMode"])
	}
	domain := only(t, root, "AWS::ApiGatewayV2::DomainName").Properties
	if !strings.Contains(asJSON(domain), `"SecurityPolicy":"TLS_1_2"`) {
		t.Errorf("the domain allows %s", asJSON(domain))
	}
}

func TestTheArchiveIsPrivateAndStays(t *testing.T) {
	b := only(t, synth(t, nil, fourStreams).root, "AWS::S3::Bucket")
	want := object{"BlockPublicAcls": true, "BlockPublicPolicy": true, "IgnorePublicAcls": true, "RestrictPublicBuckets": true}
	if diff := cmp.Diff(want, b.Properties["PublicAccessBlockConfiguration"]); diff != "" {
		t.Errorf("public access (-want +got):\n%s", diff)
	}
	if !strings.Contains(asJSON(b.Properties["OwnershipControls"]), "BucketOwnerEnforced") {
		t.Error("objects may belong to others")
	}
	if b.DeletionPolicy != "RetainExceptOnCreate" || b.UpdateReplacePolicy != "Retain" {
		t.Errorf("the archive: deletion %s, replacement %s", b.DeletionPolicy, b.UpdateReplacePolicy)
	}
}

func TestNothingOfTheArchiveExpiresUnlessAsked(t *testing.T) {
	rules := func(context map[string]any) string {
		return asJSON(at(only(t, synth(t, context, fourStreams).root, "AWS::S3::Bucket").Properties, "LifecycleConfiguration", "Rules"))
	}
	abandoned := `{"AbortIncompleteMultipartUpload":{"DaysAfterInitiation":7},"Id":"abandoned-uploads","Status":"Enabled"}`
	if got, want := rules(nil), "["+abandoned+"]"; got != want {
		t.Errorf("rules %s, want %s", got, want)
	}
	failed := `{"ExpirationInDays":30,"Id":"failed","Prefix":"failed/","Status":"Enabled"}`
	if got, want := rules(map[string]any{"failedExpiresDays": "30"}), "["+abandoned+","+failed+"]"; got != want {
		t.Errorf("rules %s, want %s", got, want)
	}
}

func TestNoSecretInTheTemplates(t *testing.T) {
	a := synth(t, verified, fourStreams)
	token := rendered(only(t, a.root, "AWS::ElastiCache::ReplicationGroup").Properties["AuthToken"])
	if !strings.HasPrefix(token, "{{resolve:secretsmanager:${CacheSecret") {
		t.Errorf("the cache's password is %q, want a reference to its secret", token)
	}
	for id, s := range ofType(a.root, "AWS::SecretsManager::Secret") {
		if s.Properties["SecretString"] != nil || s.Properties["GenerateSecretString"] == nil {
			t.Errorf("%s is not generated", id)
		}
	}
	for function := range declaredVariables {
		for name, value := range variables(t, a.root, function) {
			if strings.Contains(rendered(value), "{{resolve:") {
				t.Errorf("%s: %s holds the secret itself", function, name)
			}
		}
	}
	for _, tpl := range a.all() {
		b, err := os.ReadFile(filepath.Join(a.dir, tpl.file))
		if err != nil {
			t.Fatal(err)
		}
		if n, want := strings.Count(string(b), "{{resolve:"), map[bool]int{true: 1}[tpl.file == a.root.file]; n != want {
			t.Errorf("%s resolves %d secrets, want %d", tpl.file, n, want)
		}
	}
}

// Secrets Manager generates a secret again when its generator changes. That would lock
// out every client of every deployment.
func TestTheGeneratorsOfSecretsStayAsTheyAre(t *testing.T) {
	root := synth(t, nil, fourStreams).root
	const punctuation = " !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
	for id, want := range map[string]object{
		"Clients": {
			"Name": "datasink.clients", "GenerateSecretString": object{
				"SecretStringTemplate": "{}", "GenerateStringKey": "datasink", "PasswordLength": 43.0, "ExcludePunctuation": true, "ExcludeCharacters": punctuation,
			},
		},
		"CacheSecret": {
			"Name": "datasink.cache", "GenerateSecretString": object{"PasswordLength": 64.0, "ExcludePunctuation": true, "ExcludeCharacters": punctuation},
		},
	} {
		got := named(t, root, "AWS::SecretsManager::Secret", id).Properties
		delete(got, "Description")
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("secret %s differs (-want +got):\n%s", id, diff)
		}
	}
}

// TestTheAccessLogHasNothingThatClientsChoose also excludes the path and the query: a
// client could put a credential into them.
func TestTheAccessLogHasNothingThatClientsChoose(t *testing.T) {
	format := fmt.Sprint(at(only(t, synth(t, nil, fourStreams).root, "AWS::ApiGatewayV2::Stage").Properties, "AccessLogSettings", "Format"))
	allowed := []string{
		"$context.requestId", "$context.requestTimeEpoch", "$context.identity.sourceIp", "$context.httpMethod", "$context.routeKey",
		"$context.status", "$context.responseLength", "$context.responseLatency", "$context.integrationLatency", "$context.integrationStatus",
		"$context.integrationErrorMessage", "$context.error.message", "$context.error.responseType",
	}
	var logged map[string]string
	mustJSON(t, format, &logged)
	for field, variable := range logged {
		if !slices.Contains(allowed, variable) {
			t.Errorf("the access log's %s is %s", field, variable)
		}
	}
	if len(logged) != len(allowed) {
		t.Errorf("the access log has %d fields, want %d", len(logged), len(allowed))
	}
}
