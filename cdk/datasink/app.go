// Package datasink is the AWS CDK app: it builds the functions and declares, from
// streams.json and the settings, one root stack with a nested stack per stream.
package datasink

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"github.com/data-sink/data-sink/internal/pipeline/settings"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// Synthesize builds the functions of the module in the working directory and writes the
// cloud assembly of the deployment to the folder that the CDK CLI expects. It ends the
// jsii runtime, so a process can call it only once.
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
	if d.account != "" {
		fmt.Fprintf(os.Stderr, "deployment %s in account %s, %s\n", d.Name, d.account, d.region)
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

// deployment is the input of a stack.
type deployment struct {
	settings.Settings
	streams *stream.Set
	// account and region are those of the CDK CLI; empty if it has no credentials.
	account, region string
	// fixed is set if the stack belongs to that account and Region only.
	fixed bool
	// tags are the tags of all resources.
	tags map[string]string
	// assets is the folder that holds a folder for each function.
	assets string
}

// hasTaps reports whether a stream has a tap. Without taps there is no bridge.
func (d deployment) hasTaps() bool {
	return slices.ContainsFunc(d.streams.All(), stream.Stream.HasTap)
}

// load reads the settings and the streams of a deployment. Its error lists all problems
// of the settings, or all problems of the streams. A relative path of streams starts at
// root.
func load(context map[string]any, root string, getenv func(string) string) (deployment, error) {
	e, context, err := readEnvironment(context, root)
	if err != nil {
		return deployment{}, err
	}
	s, err := settings.Parse(context)
	if err != nil {
		return deployment{}, err
	}
	d := deployment{Settings: s, account: getenv("CDK_DEFAULT_ACCOUNT"), region: getenv("CDK_DEFAULT_REGION"), tags: e.Tags}
	if e.Account != "" {
		d.account, d.fixed = e.Account, true
	}
	if e.Region != "" {
		d.region, d.fixed = e.Region, true
	}
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
