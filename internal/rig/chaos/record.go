package chaos

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strconv"

	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// kind is what is to become of a record.
type kind int

const (
	// healthy records end in the archive.
	healthy kind = iota
	// invalid ones carry a partition key for which Kinesis refuses them, and end
	// under failed/.
	invalid
	// undecodable ones are pushed to the queue as no envelope at all, and end
	// under failed/.
	undecodable
	// unarchivable ones are on the tap, and carry a mark for which Firehose refuses
	// the record that they are packed into. They end under failed/, with all that
	// was packed with them.
	unarchivable
)

// record is one record that the suite sends. All of it follows from its number
// and the seed, so that nothing of it needs to be kept.
type record struct {
	n      int
	stream stream.Stream
	kind   kind
	// body is what the service keeps of it.
	body []byte
	// gzipped records are sent as the public clients send: compressed, with a
	// newline behind the body. asText ones go as text in the event.
	gzipped, asText bool
	partitionKey    string
}

const (
	// poisonEvery is how many records have one that can never be delivered.
	poisonEvery = 1000
	// oversizeEvery is how many records have one that is too large for the tap.
	oversizeEvery = 5000
	// invalidKey begins the partition keys that Kinesis refuses here.
	invalidKey = "invalid-"
	// unarchivableEvery is how many records have one that Firehose refuses, and
	// unarchivableAt the first of them. That is few, for each takes others along.
	unarchivableEvery = 2500
	unarchivableAt    = 300
	// unarchivableMark is what Firehose refuses here. No other body of lines has
	// such letters, and none of a raw stream so many in this order.
	unarchivableMark = "!!!not-for-firehose!!!"
)

// A body begins with its number and its length, so that it can be found again
// among others: {"n":0000001234,"len":00000567,"x":"….
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

// makeRecord returns record n.
func makeRecord(seed uint64, n int) record {
	random := rand.New(rand.NewPCG(seed, uint64(n))) //nolint:gosec // reproducible on purpose
	r := record{n: n, stream: streamList[n%len(streamList)]}
	if n%poisonEvery == poisonEvery/2 {
		r.kind = invalid + kind(n/poisonEvery%2)
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

// fill writes random letters, and for raw streams any bytes.
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

// notEnvelope is what the suite pushes for an undecodable record.
func notEnvelope(r record) []byte { return append([]byte{undecodableMark}, r.body...) }
