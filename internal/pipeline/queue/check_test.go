package queue_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/queue"
	"github.com/data-sink/data-sink/internal/rig/readmetest"
	"github.com/data-sink/data-sink/internal/rig/redistest"
	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"
)

func testPermissionsSuffice(t *testing.T, b bed) {
	for name, check := range map[string]error{"CheckPush": b.CheckPush(t.Context()), "CheckDrain": b.CheckDrain(t.Context())} {
		if check != nil {
			t.Errorf("%s = %v", name, check)
		}
	}
	if keys, err := b.keys(t, b.options.Deployment+":"); err != nil || len(keys) > 0 {
		t.Errorf("keys left by the checks: %q, %v", keys, err)
	}
}

// limited is a Redis with an administrator and a user with some rules.
type limited struct {
	*redistest.Server
	admin *redis.Client
	bed
}

func newLimited(t *testing.T, rules string) limited {
	t.Helper()
	s := redistest.Start(t)
	admin := redis.NewClient(&redis.Options{Addr: s.Addr})
	t.Cleanup(func() { _ = admin.Close() })
	o := queue.Options{URL: s.URL, Username: restrict(t, admin, "sink", rules), Password: "secret", Deployment: "d"}
	return limited{s, admin, bed{Queue: open(t, o), options: o, admin: admin}}
}

func TestMissingPermissionsAreNamed(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, rules, push, drain string }{
		{"the natural categories", "~d:* -@all +@read +@write +@scripting +@connection", "", "INFO, TIME"},
		{"no LPUSH and no RPUSH", "~d:* +@all -lpush -rpush", "RPUSH", "LPUSH, RPUSH"},
		{"no SCAN and no EVAL", "~d:* +@all -scan -eval", "EVAL", "EVAL, SCAN"},
		{"no scripts", "~d:* +@all -@scripting", "evalsha", "evalsha"},
		{"other keys", "~e:* +@all", "NOPERM", "NOPERM"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			q := newLimited(t, tt.rules)
			if tt.name == "no SCAN and no EVAL" { // its scripts must be loaded by someone
				all := open(t, queue.Options{URL: q.URL, Deployment: "d"})
				if err := errors.Join(all.CheckPush(t.Context()), all.CheckDrain(t.Context())); err != nil {
					t.Fatal(err)
				}
			}
			for name, call := range map[string]struct {
				err  error
				want string
			}{"CheckPush": {q.CheckPush(t.Context()), tt.push}, "CheckDrain": {q.CheckDrain(t.Context()), tt.drain}} {
				if call.want == "" {
					if call.err != nil {
						t.Errorf("%s = %v, want no error", name, call.err)
					}
					continue
				}
				if !errors.Is(call.err, queue.ErrPermission) || !strings.Contains(call.err.Error(), call.want) {
					t.Errorf("%s = %v, want ErrPermission with %q", name, call.err, call.want)
				}
			}
		})
	}
}

// A Redis that refuses writes for another reason does not lack a permission.
func TestOtherRefusalsAreNoMissingPermission(t *testing.T) {
	t.Parallel()
	for setting, value := range map[string]string{"maxmemory": "1", "min-replicas-to-write": "1"} {
		q := newLimited(t, queue.ACL("d"))
		if err := q.admin.ConfigSet(t.Context(), setting, value).Err(); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(q.CheckPush(t.Context()), q.CheckDrain(t.Context())); err != nil {
			t.Errorf("with %s %s: %v, want no error", setting, value, err)
		}
	}
}

// Whatever command a user lacks: no record is lost, and each can be drained once
// the permission is given.
func TestAMissingPermissionStrandsNothing(t *testing.T) {
	t.Parallel()
	commands := scriptCommands(t, "push.lua", "claim.lua", "ack.lua", "release.lua", "reclaim.lua", "recover.lua", "reconcile.lua", "prelude.lua")
	for _, name := range commands {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			q := newLimited(t, queue.ACL("d"))
			push(t, q.Queue, "orders", "a", "b", "c", "d", "e")
			expired, err := q.Claim(ctx, "orders", "dead.1", time.Millisecond, 1, 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			held, err := q.Claim(ctx, "orders", "d.1", 200*time.Millisecond, 2, 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			if err := q.admin.Do(ctx, "acl", "setuser", "sink", "-"+name).Err(); err != nil {
				t.Fatal(err)
			}
			accepted := []string{"a", "b", "c", "d", "e"}
			if _, err := q.Push(ctx, "orders", []byte("f"), 0); err == nil {
				accepted = append(accepted, "f")
			}
			// Each may fail, at any of its commands.
			_, _ = q.Claim(ctx, "orders", "d.2", time.Millisecond, 1, 1<<20)
			_, _ = q.Release(ctx, held, []int{0, 1}, nil, nil)
			_, _ = q.Reclaim(ctx, "orders")
			_, _ = q.Recover(ctx, "orders", []string{"d.1", "d.2", expired.ID})
			_, _ = q.Reconcile(ctx, "orders")

			if err := q.admin.Do(ctx, "acl", "setuser", "sink", "+"+name).Err(); err != nil {
				t.Fatal(err)
			}
			drained := q.drainAll(t)
			for _, e := range accepted {
				if drained[e] == 0 {
					t.Errorf("record %s was accepted and cannot be drained", e)
				}
			}
		})
	}
}

// A claim that cannot be deleted is returned at most once more, however often the
// sweep tries.
func TestWithoutDELAClaimIsNotReturnedAgainAndAgain(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	q := newLimited(t, queue.ACL("d"))
	push(t, q.Queue, "orders", "a", "b")
	c := claim(t, q.Queue, "d.1", 2, 1<<20)
	if err := q.admin.Do(ctx, "acl", "setuser", "sink", "-del").Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := q.Release(ctx, c, []int{0, 1}, nil, nil); err == nil {
		t.Error("Release without DEL: no error")
	}
	for range 3 {
		if _, err := q.Recover(ctx, "orders", []string{"d.1"}); err == nil {
			t.Error("Recover without DEL: no error")
		}
	}
	if diff := cmp.Diff([]string{"a", "b"}, q.raw(t).Queue); diff != "" {
		t.Errorf("queue (-want +got):\n%s", diff)
	}
}

// drainAll drains stream orders as the sweep does until its queue and claims are
// empty, and returns how often each record came.
func (b bed) drainAll(t *testing.T) map[string]int {
	t.Helper()
	ctx := t.Context()
	drained := make(map[string]int)
	for n := 0; ; n++ {
		found, err := b.Scan(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if len(found) == 0 {
			return drained
		}
		if _, err := b.Reclaim(ctx, "orders"); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Recover(ctx, "orders", found["orders"]); err != nil {
			t.Fatal(err)
		}
		c := claim(t, b.Queue, fmt.Sprintf("sweep.%d", n), 500, 1<<20)
		for _, e := range contents(c) {
			drained[e]++
		}
		if _, err := b.Ack(ctx, c, nil); err != nil {
			t.Fatal(err)
		}
	}
}

var call = regexp.MustCompile(`redis\.call\('([A-Z]+)'`)

// scriptCommands returns the commands that scripts call, in lower case, sorted.
func scriptCommands(t *testing.T, files ...string) []string {
	t.Helper()
	var all []string
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range call.FindAllStringSubmatch(string(source), -1) {
			all = append(all, strings.ToLower(match[1]))
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// The ACL has each command of the scripts, and what the client runs outside of them.
func TestACLHasTheCommandsOfTheScripts(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.lua")
	if err != nil {
		t.Fatal(err)
	}
	want := append(scriptCommands(t, files...), "asking", "cluster|slots", "command", "eval", "evalsha", "info", "ping", "scan", "wait")
	slices.Sort(want)
	rules := strings.Fields(queue.ACL("d"))
	if diff := cmp.Diff([]string{"~d:*", "-@all"}, rules[:2]); diff != "" {
		t.Errorf("first rules (-want +got):\n%s", diff)
	}
	var got []string
	for _, rule := range rules[2:] {
		got = append(got, strings.TrimPrefix(rule, "+"))
	}
	if diff := cmp.Diff(slices.Compact(want), got); diff != "" {
		t.Errorf("commands (-want +got):\n%s", diff)
	}
}

var update = flag.Bool("update", false, "write the ACL into cdk/README.md")

func TestReadmeHasTheACL(t *testing.T) {
	t.Parallel()
	readmetest.Section(t, "../../../cdk/README.md", "redis-acl", "```\n"+queue.ACL("datasink")+"\n```\n", *update)
}
