package queue_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/queue"
	"github.com/data-sink/data-sink/internal/rig/redistest"
	"github.com/google/go-cmp/cmp"
)

// A Redis at its memory limit refuses a part before anything has changed, and still
// answers for the keys that it remembers.
func TestPartsAtTheMemoryLimit(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t, "--maxmemory-policy", "noeviction")
	admin := clientOf(t, s)
	o := queue.Options{URL: s.URL, Deployment: "d"}
	b := bed{Queue: open(t, o), options: o, admin: admin}
	ctx := t.Context()
	first := queue.Part{Envelopes: bodies("a", "b"), Key: key(1, 1)}
	b.pushPart(t, first)
	before := b.raw(t)
	if err := admin.ConfigSet(ctx, "maxmemory", "1").Err(); err != nil {
		t.Fatal(err)
	}
	for name, p := range map[string]queue.Part{
		"without a key": {Envelopes: bodies("c")}, "with a new key": {Envelopes: bodies("c"), Key: key(2, 2)},
	} {
		if _, err := b.PushPart(ctx, "orders", p, 0); err == nil || !strings.Contains(err.Error(), "OOM") {
			t.Errorf("part %s at the memory limit = %v, want it refused", name, err)
		}
	}
	if got := b.pushPart(t, first); !got.Replayed {
		t.Errorf("replay at the memory limit = %+v, want it replayed", got)
	}
	if _, err := b.PushPart(ctx, "orders", queue.Part{Envelopes: bodies("x"), Key: key(1, 2)}, 0); !errors.Is(err, queue.ErrKeyReused) {
		t.Errorf("reused key at the memory limit = %v, want ErrKeyReused", err)
	}
	if diff := cmp.Diff(before, b.raw(t)); diff != "" {
		t.Errorf("keys at the memory limit (-before +after):\n%s", diff)
	}
	if err := admin.ConfigSet(ctx, "maxmemory", "0").Err(); err != nil {
		t.Fatal(err)
	}
	if got := b.pushPart(t, queue.Part{Envelopes: bodies("c"), Key: key(2, 2)}); got.Replayed {
		t.Errorf("retry of a part that was refused = %+v, want it pushed", got)
	}
}

// Under volatile-lru, as in a serverless cache, a full Redis forgets keys and never
// records: only the keys have a TTL.
func TestAFullRedisForgetsKeysAndNoRecords(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t, "--maxmemory-policy", "volatile-lru")
	admin := clientOf(t, s)
	q := open(t, queue.Options{URL: s.URL, Deployment: "d"})
	ctx := t.Context()
	if err := admin.ConfigSet(ctx, "maxmemory", "6mb").Err(); err != nil {
		t.Fatal(err)
	}
	accepted := 0
	for ; ; accepted++ {
		p := queue.Part{Envelopes: bodies(sized(1000)), Key: &queue.IdempotencyKey{Digest: [16]byte{byte(accepted), byte(accepted >> 8), byte(accepted >> 16)}}}
		if _, err := q.PushPart(ctx, "orders", p, 0); err != nil {
			if !strings.Contains(err.Error(), "OOM") {
				t.Fatal(err)
			}
			break
		}
	}
	if n := admin.Exists(ctx, "d:{orders}:once").Val(); n != 0 {
		t.Error("a full Redis has refused a record before it forgot the keys")
	}
	if n := admin.LLen(ctx, "d:{orders}:queue").Val(); int(n) != accepted {
		t.Errorf("%d records are in the queue, want all %d that were accepted", n, accepted)
	}
}

// A key is remembered for at least RememberFor, and forgotten after at most twice
// that time.
func TestKeysAreForgottenByTime(t *testing.T) {
	t.Parallel()
	const window = 200 * time.Millisecond
	s := redistest.Start(t)
	admin := clientOf(t, s)
	o := queue.Options{URL: s.URL, Deployment: "d", RememberFor: window}
	b := bed{Queue: open(t, o), options: o, admin: admin}
	began := time.Now()
	first := queue.Part{Envelopes: bodies("first"), Key: key(0, 0)}
	b.pushPart(t, first)
	// Other keys keep the generations turning.
	for n := 1; ; n++ {
		b.pushPart(t, queue.Part{Envelopes: bodies("other"), Key: &queue.IdempotencyKey{Digest: [16]byte{1, byte(n), byte(n >> 8)}}})
		asked := time.Now()
		if got := b.pushPart(t, first); !got.Replayed {
			if took := time.Since(began); took < window {
				t.Errorf("the key was forgotten after %v, want %v at least", took, window)
			}
			break
		}
		if took := asked.Sub(began); took > 4*window { // twice the window by the server's clock, and a busy machine
			t.Fatalf("the key is remembered after %v, want %v at most", took, 2*window)
		}
	}
	// Without further requests both generations expire.
	await(t, "the generations to expire", func() bool {
		return admin.Exists(t.Context(), b.key("once"), b.key("once:old")).Val() == 0
	})
}

// A replay waits for the replicas like a push: otherwise it would confirm what only
// the primary has.
func TestAReplayWaitsForReplicas(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	alone := open(t, queue.Options{URL: s.URL, Deployment: "d"})
	p := queue.Part{Envelopes: bodies("a"), Key: key(1, 1)}
	if _, err := alone.PushPart(t.Context(), "orders", p, 0); err != nil {
		t.Fatal(err)
	}
	patient := open(t, queue.Options{URL: s.URL, Deployment: "d", WaitReplicas: 1, PushTimeout: 2 * time.Second})
	if _, err := patient.PushPart(t.Context(), "orders", p, 0); err == nil || !strings.Contains(err.Error(), "0 have the record, want 1") {
		t.Errorf("replay without a replica = %v, want an error that counts replicas", err)
	}
}

// The script that Redis stops midway repeats records at worst. It never takes for
// pushed what is not.
func TestAPartThatIsStoppedMidwayIsPushedAgain(t *testing.T) {
	t.Parallel()
	for _, name := range scriptCommands(t, "push_part.lua", "prelude.lua") {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q := newLimited(t, queue.ACL("d"))
			if err := q.admin.Do(t.Context(), "acl", "setuser", "sink", "-"+name).Err(); err != nil {
				t.Fatal(err)
			}
			p := queue.Part{Envelopes: bodies("a", "b"), Key: key(1, 1)}
			_, firstErr := q.PushPart(t.Context(), "orders", p, 1<<20)
			if err := q.admin.Do(t.Context(), "acl", "setuser", "sink", "+"+name).Err(); err != nil {
				t.Fatal(err)
			}
			got := q.pushPart(t, p)
			queued := q.raw(t).Queue
			for _, envelope := range []string{"a", "b"} {
				if !slices.Contains(queued, envelope) {
					t.Errorf("first try: %v, retry: %+v, and %q is not in the queue %q", firstErr, got, envelope, queued)
				}
			}
		})
	}
}

// A user who may not run a command that an older version did without: a part is
// refused before it is pushed, whether the generation of keys is new or must be
// turned, and the remembered keys get a TTL all the same.
func TestAPartThatIsRefusedIsNotPushed(t *testing.T) {
	t.Parallel()
	type generation struct {
		name    string
		refused []string
		prepare func(t *testing.T, q limited)
	}
	for _, g := range []generation{
		{"new", []string{"exists", "hget", "hincrby", "hlen", "hmget", "hset", "llen", "pexpire", "pttl", "rpush"}, func(*testing.T, limited) {}},
		{"young", []string{"exists", "hget", "hlen", "hmget", "llen", "pttl", "rpush"}, func(t *testing.T, q limited) {
			q.pushPart(t, queue.Part{Envelopes: bodies("x"), Key: key(9, 9)})
		}},
		{"old", []string{"hincrby", "hset", "pexpire", "rename", "rpush", "unlink"}, func(t *testing.T, q limited) {
			q.pushPart(t, queue.Part{Envelopes: bodies("x"), Key: key(9, 9)})
			if err := q.admin.PExpire(t.Context(), q.key("once"), time.Minute).Err(); err != nil {
				t.Fatal(err)
			}
		}},
		{"without a TTL", []string{"hset", "pexpire", "rpush"}, func(t *testing.T, q limited) {
			q.pushPart(t, queue.Part{Envelopes: bodies("x"), Key: key(9, 9)})
			if err := q.admin.Persist(t.Context(), q.key("once")).Err(); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		for _, name := range g.refused {
			t.Run(g.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				ctx := t.Context()
				q := newLimited(t, queue.ACL("d"))
				g.prepare(t, q)
				before := q.raw(t).Queue
				if err := q.admin.Do(ctx, "acl", "setuser", "sink", "-"+name).Err(); err != nil {
					t.Fatal(err)
				}
				p := queue.Part{Envelopes: bodies("a", "b"), Key: key(1, 1)}
				for range 2 {
					if _, err := q.PushPart(ctx, "orders", p, 1<<20); err == nil {
						t.Errorf("PushPart without %s: no error", name)
					}
				}
				if diff := cmp.Diff(before, q.raw(t).Queue); diff != "" {
					t.Errorf("queue after the refusals (-before +after):\n%s", diff)
				}
				if ttl := q.admin.PTTL(ctx, q.key("once")).Val(); g.name != "without a TTL" && ttl == -1 {
					t.Error("the generation of keys has no TTL")
				}
				if err := q.admin.Do(ctx, "acl", "setuser", "sink", "+"+name).Err(); err != nil {
					t.Fatal(err)
				}
				if got := q.pushPart(t, p); got.Replayed {
					t.Errorf("retry with the permission = %+v, want it pushed", got)
				}
				if diff := cmp.Diff(append(before, "a", "b"), q.raw(t).Queue); diff != "" {
					t.Errorf("queue after the retry (-want +got):\n%s", diff)
				}
				for _, generation := range []string{"once", "once:old"} {
					if q.admin.PTTL(ctx, q.key(generation)).Val() == -1 {
						t.Errorf("%s has no TTL after the retry", generation)
					}
				}
			})
		}
	}
}
