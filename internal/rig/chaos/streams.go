package chaos

import (
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// deployment is the name of the suite's deployment.
const deployment = "chaos"

// streamsJSON has one stream of each kind; of page-views a long backlog goes
// straight to the archive.
const streamsJSON = `{
  "streams": [
    {"name": "orders", "shards": 2},
    {"name": "page-views", "compression": "none", "maxBacklogMiB": 1},
    {"name": "scans", "format": "raw"}
  ]
}`

var streams = func() *stream.Set {
	set, err := stream.Parse([]byte(streamsJSON))
	if err != nil {
		panic(err) // it is a constant
	}
	return set
}()

// streamList is the same in the order of the file.
var streamList = streams.All()
