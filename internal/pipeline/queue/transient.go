package queue

import (
	"slices"

	"github.com/redis/go-redis/v9"
)

// IsTransient reports whether err is a refusal of Redis that ends by itself within
// moments: a slot of the cluster is moving, or the server is loading its data. The
// command had no effect, so it can be sent again.
func IsTransient(err error) bool {
	return err != nil && slices.ContainsFunc([]string{"TRYAGAIN", "MOVED", "ASK", "LOADING"}, func(code string) bool {
		return redis.HasErrorPrefix(err, code+" ")
	})
}
