package function

import (
	"runtime"
	"runtime/debug"
	"testing"
)

func TestVCPUs(t *testing.T) {
	t.Parallel()
	for memory, want := range map[int]int{0: 1, 128: 1, 1024: 1, 1769: 1, 2048: 1, 3538: 2, 10240: 6} {
		if got := vCPUs(memory); got != want {
			t.Errorf("vCPUs(%d) = %d, want %d", memory, got, want)
		}
	}
}

func TestFit(t *testing.T) { // not parallel: it changes the whole process
	threads, limit := runtime.GOMAXPROCS(0), debug.SetMemoryLimit(-1)
	t.Cleanup(func() {
		runtime.GOMAXPROCS(threads)
		debug.SetMemoryLimit(limit)
	})
	const ofAll = 512 << 20 / 10 * 8
	for _, tt := range []struct {
		name    string
		env     map[string]string
		threads int
		limit   int64
	}{
		{"outside Lambda", nil, 3, limit},
		{"a small function", map[string]string{"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512"}, 1, ofAll},
		{"threads set by hand", map[string]string{"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512", "GOMAXPROCS": "3"}, 3, ofAll},
		{"memory set by hand", map[string]string{"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512", "GOMEMLIMIT": "off"}, 1, limit},
	} {
		runtime.GOMAXPROCS(3)
		debug.SetMemoryLimit(limit)
		fit(func(name string) string { return tt.env[name] })
		if got := runtime.GOMAXPROCS(0); got != tt.threads {
			t.Errorf("%s: GOMAXPROCS = %d, want %d", tt.name, got, tt.threads)
		}
		if got := debug.SetMemoryLimit(-1); got != tt.limit {
			t.Errorf("%s: memory limit = %d, want %d", tt.name, got, tt.limit)
		}
	}
}
