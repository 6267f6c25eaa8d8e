package stream_test

import (
	"testing"

	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

func TestFraming(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		format     stream.Format
		body, want string
	}{
		{stream.Lines, "a", "a\n"},
		{stream.Lines, "a\n", "a\n"},
		{stream.Lines, "a\n\n", "a\n\n"},
		{stream.Lines, "a\r\n", "a\r\n"},
		{stream.Lines, "a\nb", "a\nb\n"},
		{stream.Lines, "", "\n"},
		{stream.Raw, "a", "a"},
		{stream.Raw, "\x1f\x8b\n", "\x1f\x8b\n"},
		{stream.Raw, "", ""},
	} {
		got := string(tt.format.AppendFramed([]byte("before "), []byte(tt.body)))
		if got != "before "+tt.want {
			t.Errorf("%s: AppendFramed(%q) = %q, want %q after what was there", tt.format, tt.body, got, tt.want)
		}
		if n := tt.format.FramedLen([]byte(tt.body)); n != len(tt.want) {
			t.Errorf("%s: FramedLen(%q) = %d, want %d", tt.format, tt.body, n, len(tt.want))
		}
	}
}
