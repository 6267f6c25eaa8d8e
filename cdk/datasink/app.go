// Package datasink is the AWS CDK app: it builds the functions and declares, from
// streams.json and the settings, one root stack with a nested stack per stream.
package datasink

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"github.com/data-sink/data-sink/internal/pipeline/settings"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// Synthesize builds the functions of the module that holds the working directory
// and writes the cloud assembly of its deployment to where the CDK CLI wants it.
// It ends the JSII runtime: a process can call it once.
func Synthesize() error {
	defer jsii.Close()
	dir, err := os.Getwd()
	if err != nil {
		return err
	}
	root, err := findRoot(dir)
	if err != nil {
		return err
	}
	app := awscdk.NewApp(&awscdk.AppProps{AnalyticsReporting: jsii.Bool(false)})
	context, _ := app.Node().GetAllContext(nil).(map[string]any)
	d, err := load(context, root, os.Getenv)
	if err != nil {
		return err
	}
	d.assets, err = os.MkdirTemp("", "datasink-functions-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(d.assets)
	if err := compile(root, d.assets, d.Architecture); err != nil {
		return err
	}
	if err := addStreams(d.assets, d.streams); err != nil {
		return err
	}
	newStack(app, d)
	app.Synth(nil)
	return nil
}

// deployment is what a stack is made from.
type deployment struct {
	settings.Settings
	streams *stream.Set
	// account and region are those that the CDK command works in; empty when
	// it has no credentials.
	account, region string
	// assets is the folder that holds a folder for each function.
	assets string
}

// load reads the settings and the streams of a deployment, all problems at once
// for each of the two. A relative path of streams starts at root.
func load(context map[string]any, root string, getenv func(string) string) (deployment, error) {
	s, err := settings.Parse(context)
	if err != nil {
		return deployment{}, err
	}
	d := deployment{Settings: s, account: getenv("CDK_DEFAULT_ACCOUNT"), region: getenv("CDK_DEFAULT_REGION")}
	if s.VPCID != "" && (d.account == "" || d.region == "") {
		return deployment{}, errors.New("vpcId: looking up a VPC needs credentials and a Region")
	}
	path := s.StreamsFile
	if !filepath.IsAbs(path) {
		path = filepath.Join(root, path)
	}
	d.streams, err = stream.Load(path)
	if err != nil {
		return deployment{}, err
	}
	return d, nil
}
