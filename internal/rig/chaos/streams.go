package chaos

import (
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// deployment is the name of the suite's deployment.
const deployment = "chaos"

// streamsJSON has one stream of each kind, half of them with a tap that the drainer
// feeds. The backlog bound of page-views produces overflow records.
const streamsJSON = `{
  "streams": [
    {"name": "orders", "shards": 2},
    {"name": "page-views", "compression": "none", "maxBacklogMiB": 1},
    {"name": "scans", "format": "raw"},
    {"name": "audit", "tap": false},
    {"name": "clicks", "tap": "ending"},
    {"name": "blobs", "format": "raw", "tap": false}
  ]
}`

var streams = func() *stream.Set {
	set, err := stream.Parse([]byte(streamsJSON))
	if err != nil {
		panic(err) // a constant
	}
	return set
}()

// streamList has the streams in the order of the file.
var streamList = streams.All()
