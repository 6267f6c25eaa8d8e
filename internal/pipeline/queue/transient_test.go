package queue_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/data-sink/data-sink/internal/pipeline/queue"
)

// redisError is an error reply of Redis.
type redisError string

func (e redisError) Error() string { return string(e) }
func (redisError) RedisError()     {}

func TestIsTransient(t *testing.T) {
	t.Parallel()
	for reply, want := range map[string]bool{
		"TRYAGAIN Multiple keys request during rehashing of slot": true,
		"MOVED 3999 127.0.0.1:6381":                               true,
		"ASK 3999 127.0.0.1:6381":                                 true,
		"LOADING Redis is loading the dataset in memory":          true,
		"OOM command not allowed":                                 false,
		"NOREPLICAS Not enough good replicas to write.":           false,
		"ASKING":              false,
		"ERR unknown command": false,
	} {
		if got := queue.IsTransient(fmt.Errorf("pushing: %w", redisError(reply))); got != want {
			t.Errorf("IsTransient(%s) = %v, want %v", reply, got, want)
		}
	}
	if queue.IsTransient(nil) || queue.IsTransient(errors.New("LOADING data")) {
		t.Error("an error that is not a reply of Redis is transient")
	}
}
