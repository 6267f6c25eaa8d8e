package datasink

import "hash/fnv"

// creating is how many Kinesis streams of an account may be in the state
// CREATING at once.
// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_CreateStream.html
const creating = 5

// lanes orders the creation of streams so that at most that many are created at
// once: the streams of a lane follow each other. names must be sorted.
//
// The lane of a stream follows from its name alone, so that a new stream joins
// one lane and at most one other stream's place in the order changes; its
// resources do not. As many streams as may be created at once need no order.
func lanes(names []string) [][]string {
	if len(names) <= creating {
		return nil
	}
	lanes := make([][]string, creating)
	for _, name := range names {
		h := fnv.New32a()
		h.Write([]byte(name))
		i := h.Sum32() % creating
		lanes[i] = append(lanes[i], name)
	}
	return lanes
}
