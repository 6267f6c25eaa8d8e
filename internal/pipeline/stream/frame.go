package stream

// MaxFramedBytes is the largest framed body that passes through the tap: the
// record limit of Firehose, the smallest on the way.
// https://docs.aws.amazon.com/firehose/latest/dev/limits.html
const MaxFramedBytes = 1_024_000

// FramedLen is the length of AppendFramed's addition.
func (f Format) FramedLen(body []byte) int {
	if f.needsNewline(body) {
		return len(body) + 1
	}
	return len(body)
}

// AppendFramed appends body to dst as it stands in an object of the archive.
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
