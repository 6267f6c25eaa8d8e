package datasink

import "hash/fnv"

// maxCreating is the number of Kinesis streams of an account that may be in the
// state CREATING at the same time.
// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_CreateStream.html
const maxCreating = 5

// deployOrder divides the streams into maxCreating chains. The streams of a chain
// are deployed one after the other, so that at most maxCreating Kinesis streams are
// created at the same time. names must be sorted. Up to maxCreating streams need no
// order: each is then a chain of its own.
//
// The name of a stream alone decides on its chain. A new stream therefore changes
// the place of at most one other stream, and no resource of that stream.
func deployOrder(names []string) [][]string {
	chains := make([][]string, maxCreating)
	if len(names) <= maxCreating {
		for i, name := range names {
			chains[i] = []string{name}
		}
		return chains
	}
	for _, name := range names {
		h := fnv.New32a()
		h.Write([]byte(name))
		i := h.Sum32() % maxCreating
		chains[i] = append(chains[i], name)
	}
	return chains
}
