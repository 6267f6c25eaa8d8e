package datasink

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var announcing = map[string]any{"objectsTopic": "true"}

func TestNotificationsOnlyOnRequest(t *testing.T) {
	without, with := synth(t, nil, fourStreams).root, synth(t, announcing, fourStreams).root
	want := []string{"AWS::Events::Rule", "AWS::Events::Rule", "AWS::SNS::Topic", "AWS::SNS::TopicPolicy", "output ObjectsTopic"}
	// There is no custom resource with a function of its own among them.
	if diff := cmp.Diff(want, added(with, without)); diff != "" {
		t.Errorf("notifications add (-want +got):\n%s", diff)
	}
	if got := only(t, without, "AWS::S3::Bucket").Properties["NotificationConfiguration"]; got != nil {
		t.Errorf("without the topic the bucket notifies %v", got)
	}
	got := only(t, with, "AWS::S3::Bucket").Properties["NotificationConfiguration"]
	if diff := cmp.Diff(any(object{"EventBridgeConfiguration": object{"EventBridgeEnabled": true}}), got); diff != "" {
		t.Errorf("the bucket notifies (-want +got):\n%s", diff)
	}
}

func TestTheRulesOfNotifications(t *testing.T) {
	root := synth(t, announcing, fourStreams).root
	for rule, keys := range map[string]any{
		"ObjectsRule":   object{"anything-but": object{"prefix": []any{"failed/", "aws/", "_"}}},
		"ManifestsRule": object{"prefix": "_manifests/"},
	} {
		p := named(t, root, "AWS::Events::Rule", rule).Properties
		want := object{
			"source": []any{"aws.s3"}, "detail-type": []any{"Object Created"},
			"detail": object{"bucket": object{"name": []any{"${Archive}"}}, "object": object{"key": []any{keys}}},
		}
		if diff := cmp.Diff(any(want), resolved(p["EventPattern"])); diff != "" {
			t.Errorf("the pattern of %s (-want +got):\n%s", rule, diff)
		}
		if diff := cmp.Diff(any([]any{object{"Arn": "${Objects}", "Id": "topic"}}), resolved(p["Targets"])); diff != "" {
			t.Errorf("the targets of %s (-want +got):\n%s", rule, diff)
		}
	}
}

func TestOnlyTheRulesPublish(t *testing.T) {
	root := synth(t, announcing, fourStreams).root
	found, _ := at(only(t, root, "AWS::SNS::TopicPolicy").Properties, "PolicyDocument", "Statement").([]any)
	want := []any{object{
		"Effect": "Allow", "Principal": object{"Service": "events.amazonaws.com"}, "Action": "sns:Publish", "Resource": "${Objects}",
		"Condition": object{
			"ArnEquals":    object{"aws:SourceArn": []any{"${ObjectsRule.Arn}", "${ManifestsRule.Arn}"}},
			"StringEquals": object{"aws:SourceAccount": "${AWS::AccountId}"},
		},
	}}
	if diff := cmp.Diff(any(want), resolved(found)); diff != "" {
		t.Errorf("the policy of the topic (-want +got):\n%s", diff)
	}
}

// TestOnlyTheVerifierWritesManifests checks the policy of the bucket, which also holds for
// the credentials of operators.
func TestOnlyTheVerifierWritesManifests(t *testing.T) {
	denied := func(context map[string]any) []object {
		var list []object
		found, _ := at(only(t, synth(t, context, fourStreams).root, "AWS::S3::BucketPolicy").Properties, "PolicyDocument", "Statement").([]any)
		for _, s := range found {
			if strings.Contains(rendered(at(s, "Resource")), manifests) {
				list = append(list, resolved(s).(object))
			}
		}
		return list
	}
	want := []object{{
		"Effect": "Deny", "Principal": object{"AWS": "*"}, "Action": "s3:PutObject", "Resource": "${Archive.Arn}/_manifests/*",
		"Condition": object{"ArnNotEquals": object{"aws:PrincipalArn": "${VerifierRole.Arn}"}},
	}}
	if diff := cmp.Diff(want, denied(verified)); diff != "" {
		t.Errorf("with a verifier (-want +got):\n%s", diff)
	}
	// Without a verifier an operator writes them, with datasink verify --manifest.
	if got := denied(nil); len(got) > 0 {
		t.Errorf("without a verifier: %v", got)
	}
}
