package replay_test

import (
	"bytes"
	"testing"

	"github.com/data-sink/data-sink/internal/operate/replay"
)

// FuzzSplit holds that the bodies, archived again, are the bytes that were split.
func FuzzSplit(f *testing.F) {
	f.Add([]byte("a\n\nb\r\nc"))
	f.Add([]byte("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, content []byte) {
		for by, frame := range map[replay.By]func([]byte) []byte{
			replay.Line: func(b []byte) []byte {
				if bytes.HasSuffix(b, []byte("\n")) {
					return b
				}
				return append(b, '\n')
			},
			replay.Lines: func(b []byte) []byte {
				if bytes.HasSuffix(b, []byte("\n")) {
					return b
				}
				return append(b, '\n')
			},
			replay.Member: func(b []byte) []byte { return b },
			replay.Whole:  func(b []byte) []byte { return b },
		} {
			var joined []byte
			err := by.Split(bytes.NewReader(content), func(body []byte) error {
				if len(body) == 0 {
					t.Errorf("%q by %s has an empty body", content, by)
				}
				joined = append(joined, frame(body)...)
				return nil
			})
			want := content
			if (by == replay.Line || by == replay.Lines) && len(content) > 0 && content[len(content)-1] != '\n' {
				want = append(bytes.Clone(content), '\n')
			}
			if by != replay.Member && err != nil || err == nil && !bytes.Equal(joined, want) {
				t.Errorf("%q by %s: %v, archived again %q", content, by, err, joined)
			}
		}
	})
}
