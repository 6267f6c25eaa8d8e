package sink_test

import (
	"context"
	"fmt"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/data-sink/data-sink/internal/pipeline/sink"
)

func ExampleWriter() {
	client := kinesis.New(kinesis.Options{Region: "eu-central-1"}, func(o *kinesis.Options) {
		o.HTTPClient = awshttp.NewBuildableClient().WithTimeout(10 * time.Second)
	})
	w := sink.Writer{Service: sink.NewKinesis(client), Limits: sink.KinesisLimits}

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	result := w.Put(ctx, "datasink.orders", nil)
	fmt.Println("not delivered:", len(result.Left), "never to be:", len(result.Invalid))
	// Output: not delivered: 0 never to be: 0
}
