// Command cdk is the AWS CDK app of Data Sink. The CDK CLI runs it in this folder.
package main

import (
	"fmt"
	"os"

	"github.com/data-sink/data-sink/cdk/datasink"
)

func main() {
	if err := datasink.Synthesize(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
