//go:build e2e

package e2e_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// notEmulated lists behaviour of AWS that the emulator lacks, so that these tests
// cannot show it. Each entry names the tests that show it elsewhere: claims on the
// template, and the same behaviour in the local pipeline or against a scripted
// service.
var notEmulated = []struct {
	what  string
	shown []string // folder.Test
}{
	{"functions of another architecture than this machine's", []string{"cdk/datasink.TestFunctionsRunOnLambdasBareRuntime"}},
	{"a configuration endpoint of a cache with one shard: testdata/patched.py adds it", []string{"cdk/datasink.TestTheCacheIsAQueue"}},
	{"the network: functions reach everything that this machine reaches", []string{
		"cdk/datasink.TestIngestAndDrainerAreInAVPCWithoutARouteOut", "cdk/datasink.TestSecurityGroupsLetThroughWhatIsNeeded",
	}},
	{"the permissions of a function URL", []string{"cdk/datasink.TestAFunctionURLNeedsBothPermissions"}},
	{"IPv6: rewriteForEmulator removes the gateway, the routes and the addresses", []string{"cdk/datasink.TestIPv6Egress", "cdk/datasink.TestEveryServiceIsReachable"}},
	{"a serverless cache: rewriteForEmulator makes a replication group of it", []string{
		"cdk/datasink.TestTheServerlessCache", "cdk/datasink.TestTheFunctionsUseTheServerlessCache",
	}},
	{"GET /health through the API, which the emulator answers itself", []string{"cdk/datasink.TestTheAPIHasTwoRoutesToIngest"}},
	{"partial failures of the Kinesis mapping", []string{"cdk/datasink.TestTheMappingFromEachTapToTheBridge", "internal/local/cloud.TestMappingGoesOnBehindAPartialFailure"}},
	{"its bisection of failed batches", []string{"cdk/datasink.TestTheMappingFromEachTapToTheBridge", "internal/local/cloud.TestMappingSplitsABatchThatFails"}},
	{"its limits on retries and age, and its S3 destination", []string{"cdk/datasink.TestTheMappingFromEachTapToTheBridge", "internal/local/cloud.TestMappingDiscardsByAge"}},
	{"its batching window", []string{"cdk/datasink.TestTheMappingFromEachTapToTheBridge"}},
	{"Firehose's buffering", []string{"cdk/datasink.TestTheFirehoseOfEachStream", "internal/local/cloud.TestFirehoseWritesByAgeAndBySize"}},
	{"Firehose's compression", []string{"cdk/datasink.TestTheFirehoseOfEachStream", "internal/local/cloud.TestFirehoseJoinsRecordsIntoObjects"}},
	{"throttling of single records", []string{"internal/local/cloud.TestKinesisThrottlesEachShard", "internal/pipeline/sink.TestOnlyFailedEntriesAreSentAgainAndCallsAreToppedUp"}},
	{"the permissions of Firehose, of the mappings, of the schedule and of Lambda itself", []string{"cdk/datasink.TestEachRoleMayDoItsOwnActionsOnItsOwnResources"}},
	{"resources that a deleted nested stack retains", []string{"cdk/datasink.TestOnlyTheTapOfARetiredStreamIsDeleted"}},
}

// TestWhatIsNotEmulatedIsShownElsewhere checks that the listed tests exist.
func TestWhatIsNotEmulatedIsShownElsewhere(t *testing.T) {
	t.Parallel()
	for _, n := range notEmulated {
		for _, test := range n.shown {
			dir, name, _ := strings.Cut(test, ".")
			if !declares(t, filepath.Join(root(t), dir), name) {
				t.Errorf("%s: there is no %s in %s", n.what, name, dir)
			}
		}
	}
}

// declares reports whether a folder has a test of that name.
func declares(t *testing.T, dir, name string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	declaration := regexp.MustCompile(`(?m)^func ` + name + `\(t \*testing\.T\)`)
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if declaration.Match(content) {
			return true
		}
	}
	return false
}
