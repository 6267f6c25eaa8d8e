package sink_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/data-sink/data-sink/internal/pipeline/sink"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// poisoned fails each call that contains one of these entries. Like AWS, it does
// not say which entry is the cause.
func poisoned(poison ...string) answer {
	return func(call []sink.Entry) ([]sink.Failure, error) {
		for _, e := range call {
			if slices.Contains(poison, string(e.Data)) {
				return nil, errInvalid
			}
		}
		return nil, nil
	}
}

// always repeats an answer more often than any test makes calls.
func always(a answer) []answer { return slices.Repeat([]answer{a}, 10_000) }

func TestInvalidEntriesAreFoundByHalving(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		entries  int
		poison   []string
		maxCalls int
	}{
		{"one of one", 1, []string{"0"}, 1},
		{"the first of two", 2, []string{"0"}, 3},
		{"the last of two", 2, []string{"1"}, 3},
		{"one of 500", 500, []string{"321"}, 1 + 2*9},
		{"one of 500, and more wait", 1300, []string{"321"}, 1 + 2*9 + 2},
		{"several of 500", 500, []string{"0", "1", "250", "499"}, 1 + 4*2*9},
		{"in two calls", 1000, []string{"77", "777"}, 2 * (1 + 2*9)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				service := script{answers: always(poisoned(tt.poison...))}
				w := sink.Writer{Service: &service, Limits: sink.KinesisLimits, MaxAttempts: 1}
				entries := numbered(tt.entries)
				got := w.Put(t.Context(), "s", entries)
				var found []string
				for _, i := range got.Invalid {
					found = append(found, fmt.Sprint(i.Index))
				}
				if diff := cmp.Diff(tt.poison, found); diff != "" {
					t.Errorf("invalid entries differ (-want +got):\n%s", diff)
				}
				if got.Left != nil || got.Doubtful != nil || got.Err != nil {
					t.Errorf("left %v, doubtful %v, %v, want nothing", got.Left, got.Doubtful, got.Err)
				}
				if got.Calls > tt.maxCalls || got.Calls != len(service.calls) {
					t.Errorf("%d calls counted, %d made, want at most %d", got.Calls, len(service.calls), tt.maxCalls)
				}
				var good []sink.Entry
				for i, e := range entries {
					if !slices.Contains(tt.poison, fmt.Sprint(i)) {
						good = append(good, e)
					}
				}
				service.takenOnce(t, good)
			})
		})
	}
}

func TestReasonTellsSizesAndCause(t *testing.T) {
	t.Parallel()
	service := script{answers: always(fails(errInvalid))}
	w := sink.Writer{Service: &service, Limits: sink.KinesisLimits}
	got := w.Put(t.Context(), "s", []sink.Entry{{PartitionKey: "s3cr3t", Data: []byte("s3cr3t too")}})
	want := "entry 0 of 16 bytes (partition key 6, data 10): refused by the service: PutRecords: ValidationException: invalid"
	if len(got.Invalid) != 1 || got.Invalid[0].Reason != want {
		t.Errorf("invalid = %+v, want the reason %q", got.Invalid, want)
	}
	if strings.Contains(fmt.Sprint(got), "s3cr3t") {
		t.Errorf("the result quotes the entry: %+v", got)
	}
}

func TestACallOfWhichEveryEntryIsRefusedAloneIsLeft(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name        string
		entries     int
		answers     []answer
		left        []int
		invalid     int
		settled     int // entries that were delivered
		wantInError string
	}{
		{"both of two", 2, always(fails(errInvalid)), []int{0, 1}, 0, 0, "every entry of a call was refused alone"},
		{"all of two calls", 500, always(fails(errInvalid)), indices(500), 0, 0, "every entry of a call was refused alone"},
		{"an accepted half", 4, []answer{fails(errInvalid), fails(errInvalid), fails(errInvalid), fails(errInvalid), all}, nil, 2, 2, ""},
		{"another call is accepted", 6, []answer{
			fails(errInvalid), fails(errInvalid), fails(errInvalid), fails(errInvalid), fails(errInvalid), fails(errInvalid), fails(errInvalid), all,
		}, []int{0, 1, 2, 3}, 0, 2, "every entry of a call was refused alone"},
		{"an entry refused in an accepted call", 2, []answer{fails(errInvalid), fails(errInvalid), refuses(errInvalid, 0)}, nil, 2, 0, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			service := script{answers: tt.answers}
			w := sink.Writer{Service: &service, Limits: sink.Limits{Entries: 4}}
			got := w.Put(t.Context(), "s", numbered(tt.entries))
			if diff := cmp.Diff(tt.left, got.Left); diff != "" {
				t.Errorf("left (-want +got):\n%s", diff)
			}
			var doubtful []int
			for _, d := range got.Doubtful {
				doubtful = append(doubtful, d.Index)
			}
			if diff := cmp.Diff(tt.left, doubtful); diff != "" {
				t.Errorf("doubtful (-want +got):\n%s", diff)
			}
			if len(got.Invalid) != tt.invalid {
				t.Errorf("invalid = %+v, want %d", got.Invalid, tt.invalid)
			}
			if len(service.taken) != tt.settled {
				t.Errorf("%d entries delivered, want %d", len(service.taken), tt.settled)
			}
			if tt.wantInError == "" {
				if got.Err != nil {
					t.Errorf("error = %v, want none", got.Err)
				}
			} else if !errors.Is(got.Err, sink.ErrInvalid) || !strings.Contains(got.Err.Error(), tt.wantInError) {
				t.Errorf("error = %v, want one that is ErrInvalid and says %q", got.Err, tt.wantInError)
			}
		})
	}
}

func indices(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	return list
}

func TestHalvesAreNotToppedUp(t *testing.T) {
	t.Parallel()
	service := script{answers: always(poisoned("1"))}
	w := sink.Writer{Service: &service, Limits: sink.Limits{Entries: 4}}
	w.Put(t.Context(), "s", numbered(8))
	want := [][]string{
		{"0", "1", "2", "3"},
		{"0", "1"},
		{"0"},
		{"1"},
		{"2", "3"},
		{"4", "5", "6", "7"},
	}
	if diff := cmp.Diff(want, service.calls); diff != "" {
		t.Errorf("calls differ (-want +got):\n%s", diff)
	}
}

func TestEntryThatIsRefusedAsInvalidAloneIsFinal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		service := script{answers: []answer{func([]sink.Entry) ([]sink.Failure, error) {
			return []sink.Failure{{Index: 0, Err: errUnknown}, {Index: 2, Err: errInvalid}}, nil
		}}}
		w := sink.Writer{Service: &service, Limits: sink.Limits{Entries: 3}}
		got := w.Put(t.Context(), "s", numbered(4))
		if len(got.Invalid) != 1 || got.Invalid[0].Index != 2 || got.Left != nil || got.Retried != 1 {
			t.Errorf("result = %+v, want entry 2 invalid and entry 0 sent again", got)
		}
		if diff := cmp.Diff([][]string{{"0", "1", "2"}, {"0", "3"}}, service.calls); diff != "" {
			t.Errorf("calls differ (-want +got):\n%s", diff)
		}
	})
}

func TestFaultsWhileHalving(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		service := script{answers: []answer{
			fails(errInvalid),        // 0 1 2 3
			fails(errUnknown),        // 0 1: stays a group of its own
			refuses(errThrottled, 1), // 0 1: accepted, so 1 waits behind all others
			fails(errThrottled),      // 2 3
			fails(errInvalid),        // 2 3
			fails(errInvalid),        // 2
			all,                      // 3
			refuses(errThrottled, 0), // 4 5 6 1
		}}
		w := sink.Writer{Service: &service, Limits: sink.Limits{Entries: 4}}
		entries := numbered(7)
		got := w.Put(t.Context(), "s", entries)
		want := [][]string{
			{"0", "1", "2", "3"},
			{"0", "1"},
			{"0", "1"},
			{"2", "3"},
			{"2", "3"},
			{"2"},
			{"3"},
			{"4", "5", "6", "1"},
			{"4"},
		}
		if diff := cmp.Diff(want, service.calls); diff != "" {
			t.Errorf("calls differ (-want +got):\n%s", diff)
		}
		result := sink.Result{Invalid: []sink.Invalid{{Index: 2}}, Calls: 9, Retried: 12, Throttled: 4}
		if diff := cmp.Diff(result, got, cmpopts.IgnoreFields(sink.Invalid{}, "Reason")); diff != "" {
			t.Errorf("result differs (-want +got):\n%s", diff)
		}
		service.takenOnce(t, slices.Delete(entries, 2, 3))
	})
}

func TestWhatIsLeftOfHalvesIsReturned(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	service := script{answers: []answer{
		fails(errInvalid),
		all,
		func([]sink.Entry) ([]sink.Failure, error) { cancel(); return nil, errInvalid },
	}}
	w := sink.Writer{Service: &service, Limits: sink.Limits{Entries: 8}}
	got := w.Put(ctx, "s", numbered(12))
	if diff := cmp.Diff([]int{4, 5, 6, 7, 8, 9, 10, 11}, got.Left); diff != "" {
		t.Errorf("left differs (-want +got):\n%s", diff)
	}
	if got.Invalid != nil || got.Calls != 3 {
		t.Errorf("result = %+v, want 3 calls and nothing called invalid", got)
	}
}

func TestCallThatIsTooLargeForTheServiceIsHalvedUntilItPasses(t *testing.T) {
	t.Parallel()
	service := script{answers: always(func(call []sink.Entry) ([]sink.Failure, error) {
		if len(call) > 3 {
			return nil, errInvalid
		}
		return nil, nil
	})}
	w := sink.Writer{Service: &service, Limits: sink.Limits{Entries: 10}}
	entries := numbered(25)
	got := w.Put(t.Context(), "s", entries)
	if got.Invalid != nil || got.Left != nil {
		t.Errorf("result = %+v, want all delivered", got)
	}
	service.takenOnce(t, entries)
}
