package deadline_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/deadline"
)

func TestLeft(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ timeout, margin, want time.Duration }{
		{time.Minute, 5 * time.Second, 55 * time.Second},
		{time.Minute, 0, time.Minute},
		{10 * time.Second, 5 * time.Second, 5 * time.Second},
		{4 * time.Second, 5 * time.Second, 2 * time.Second},
	} {
		t.Run(fmt.Sprint(tt.timeout, " less ", tt.margin), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), tt.timeout)
				defer cancel()
				if got := deadline.Left(ctx, tt.margin); got != tt.want {
					t.Errorf("Left = %v, want %v", got, tt.want)
				}
			})
		})
	}
}

func TestLeftWithoutADeadlineNeverEnds(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), deadline.Left(t.Context(), time.Second))
	defer cancel()
	if err := ctx.Err(); err != nil {
		t.Errorf("a context with that timeout has ended: %v", err)
	}
}
