package chaos

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strconv"

	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// kind is the intended fate of a record.
type kind int

const (
	// healthy records end up in the archive.
	healthy kind = iota
	// invalid records have a partition key that Kinesis refuses, and end up under
	// failed/.
	invalid
	// undecodable records are pushed to the queue without an envelope, and end up
	// under failed/.
	undecodable
	// unarchivable records have a mark that Firehose refuses, and end up under
	// failed/.
	unarchivable
)

// record is one record that the suite sends. It is a function of the seed and its
// number, so that the suite does not have to keep it.
type record struct {
	n      int
	stream stream.Stream
	kind   kind
	// body is what the service must keep.
	body []byte
	// gzipped records are sent as the original clients send: with a newline after
	// the body, compressed. asText records are sent as text in the event.
	gzipped, asText bool
	partitionKey    string
}

const (
	// One record in poisonEvery is invalid or undecodable.
	poisonEvery = 1000
	// One record in oversizeEvery is too large for the tap.
	oversizeEvery = 5000
	// invalidKey is the prefix of the partition keys that this Kinesis refuses.
	invalidKey = "invalid-"
	// One record in unarchivableEvery is unarchivable, the first at unarchivableAt.
	// These are rare, because each one affects its neighbours.
	unarchivableEvery = 2500
	unarchivableAt    = 300
	// unarchivableMark is the mark that this Firehose refuses. It has characters
	// that no other body of a lines stream has, and is too long to occur in a raw
	// stream by chance.
	unarchivableMark = "!!!not-for-firehose!!!"
)

// A body begins with its number and its length, so that it can be found in an
// object: {"n":0000001234,"len":00000567,"x":"….
const (
	bodyBegin    = `{"n":`
	headerFormat = `{"n":%010d,"len":%08d,"x":"`
	headerLen    = len(`{"n":0000000000,"len":00000000,"x":"`)
	trailer      = `"}`
	numberAt     = len(bodyBegin)
	numberLen    = 10
	lengthAt     = len(`{"n":0000000000,"len":`)
	lengthLen    = 8
)

// makeRecord returns record n of a seed.
func makeRecord(seed uint64, n int) record {
	random := rand.New(rand.NewPCG(seed, uint64(n))) // reproducible on purpose
	r := record{n: n, stream: streamList[n%len(streamList)]}
	if n%poisonEvery == poisonEvery/2 {
		r.kind = invalid + kind(n/poisonEvery%2)
		if r.kind == invalid && !r.stream.FeedsTap() {
			r.kind = healthy // Firehose has no partition keys.
		}
	}
	mark := ""
	if n%unarchivableEvery == unarchivableAt {
		r.kind, mark = unarchivable, unarchivableMark
	}
	size := bodySize(random, n) + len(mark)
	end := trailer
	if r.stream.Format == stream.Lines {
		r.gzipped = random.IntN(5) == 0
		r.asText = !r.gzipped && random.IntN(2) == 0
		if r.gzipped || random.IntN(8) == 0 {
			end += "\n"
		}
	}
	switch {
	case r.kind == invalid:
		r.partitionKey = invalidKey + strconv.Itoa(n)
	case random.IntN(3) == 0:
		r.partitionKey = "customer " + strconv.Itoa(n%97)
	}
	r.body = make([]byte, 0, size)
	r.body = fmt.Appendf(r.body, headerFormat+"%s", n, size, mark)
	at := len(r.body)
	r.body = r.body[:size-len(end)]
	fill(r.body[at:], random, r.stream.Format)
	r.body = append(r.body, end...)
	return r
}

func bodySize(random *rand.Rand, n int) int {
	const least = headerLen + len(trailer) + 1
	switch p := random.IntN(2000); {
	case n%oversizeEvery == 777:
		return stream.MaxFramedBytes + random.IntN(100_000)
	case p == 0:
		return least + 100_000 + random.IntN(200_000)
	case p < 30:
		return least + 2_000 + random.IntN(18_000)
	case p < 500:
		return least + 500 + random.IntN(1_500)
	default:
		return least + random.IntN(500)
	}
}

const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// fill writes random letters, or random bytes for raw streams.
func fill(b []byte, random *rand.Rand, format stream.Format) {
	var word [8]byte
	for len(b) > 0 {
		binary.LittleEndian.PutUint64(word[:], random.Uint64())
		if format == stream.Lines {
			for i := range word {
				word[i] = letters[word[i]&63]
			}
		}
		b = b[copy(b, word[:]):]
	}
}

// parseHeader reads the number and the length at the beginning of a body.
func parseHeader(b []byte) (n, length int, ok bool) {
	if len(b) < headerLen || !bytes.HasPrefix(b, []byte(bodyBegin)) {
		return 0, 0, false
	}
	n, err := strconv.Atoi(string(b[numberAt : numberAt+numberLen]))
	if err != nil {
		return 0, 0, false
	}
	length, err = strconv.Atoi(string(b[lengthAt : lengthAt+lengthLen]))
	return n, length, err == nil
}

// undecodableMark is a MessagePack code that is never used.
const undecodableMark = 0xc1

// notEnvelope returns what the suite pushes for an undecodable record.
func notEnvelope(r record) []byte { return append([]byte{undecodableMark}, r.body...) }
