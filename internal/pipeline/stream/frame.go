package stream

// MaxFramedBytes is the size of the largest framed body on the tap. It is the
// record limit of Firehose, which is lower than that of Kinesis.
// https://docs.aws.amazon.com/firehose/latest/dev/limits.html
const MaxFramedBytes = 1_024_000

// FramedLen returns the number of bytes that AppendFramed appends.
func (f Format) FramedLen(body []byte) int {
	if f.needsNewline(body) {
		return len(body) + 1
	}
	return len(body)
}

// AppendFramed appends body to dst in the form that objects of the archive hold.
func (f Format) AppendFramed(dst, body []byte) []byte {
	dst = append(dst, body...)
	if f.needsNewline(body) {
		dst = append(dst, '\n')
	}
	return dst
}

func (f Format) needsNewline(body []byte) bool {
	return f != Raw && (len(body) == 0 || body[len(body)-1] != '\n')
}
