package lambdatest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/data-sink/data-sink/internal/rig/lambdatest"
)

// The test binary is also the function, if LAMBDATEST_FUNCTION is set.
func TestMain(m *testing.M) {
	if os.Getenv("LAMBDATEST_FUNCTION") == "" {
		os.Exit(m.Run())
	}
	if os.Getenv("LAMBDATEST_FUNCTION") == "broken" {
		os.Exit(3)
	}
	lambda.Start(func(ctx context.Context, in string) (string, error) {
		switch in {
		case "fail":
			return "", errors.New("on request")
		case "panic":
			panic("on request")
		case "sleep":
			time.Sleep(time.Hour)
		case "nap":
			time.Sleep(200 * time.Millisecond)
		case "deadline":
			deadline, _ := ctx.Deadline()
			return time.Until(deadline).String(), nil
		}
		return fmt.Sprint(in, " by ", os.Getenv("PROCESS"), " in ", os.Getenv("AWS_LAMBDA_FUNCTION_NAME")), nil
	})
}

func newFunction(t *testing.T, change func(*lambdatest.Options)) *lambdatest.Function {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	o := lambdatest.Options{
		Name: "echo", Bootstrap: self, Dir: t.TempDir(),
		Env: func(n int) []string { return []string{"LAMBDATEST_FUNCTION=echo", fmt.Sprint("PROCESS=", n)} },
	}
	if change != nil {
		change(&o)
	}
	f := lambdatest.New(o)
	t.Cleanup(f.Close)
	return f
}

func invoke(t *testing.T, f *lambdatest.Function, in string) (string, error) {
	t.Helper()
	out, err := f.Invoke(t.Context(), []byte(`"`+in+`"`))
	return strings.Trim(string(out), `"`), err
}

func TestOneProcessServesOneInvocationAfterAnother(t *testing.T) {
	t.Parallel()
	f := newFunction(t, nil)
	for range 3 {
		if out, err := invoke(t, f, "hello"); err != nil || out != "hello by 1 in echo" {
			t.Errorf("Invoke = %q, %v", out, err)
		}
	}
	if f.Started() != 1 || f.Processes()[0].ColdStart() <= 0 {
		t.Errorf("%d processes started, cold start %v", f.Started(), f.Processes()[0].ColdStart())
	}
}

func TestAProcessIsStartedForEachConcurrentInvocation(t *testing.T) {
	t.Parallel()
	f := newFunction(t, func(o *lambdatest.Options) { o.Concurrency = 3 })
	var wg sync.WaitGroup
	for range 9 {
		wg.Go(func() {
			if out, err := invoke(t, f, "nap"); err != nil || !strings.HasPrefix(out, "nap by ") {
				t.Errorf("Invoke = %q, %v", out, err)
			}
		})
	}
	wg.Wait()
	if f.Started() != 3 || len(f.Processes()) != 3 {
		t.Errorf("%d processes started, %d run, want 3", f.Started(), len(f.Processes()))
	}
}

func TestAnErrorKeepsTheProcessAndAPanicEndsIt(t *testing.T) {
	t.Parallel()
	f := newFunction(t, nil)
	var functionError *lambdatest.FunctionError
	if _, err := invoke(t, f, "fail"); !errors.As(err, &functionError) || !strings.Contains(functionError.Response, "on request") {
		t.Errorf("an error: %v", err)
	}
	if _, err := invoke(t, f, "hello"); err != nil || f.Started() != 1 {
		t.Errorf("after an error: %v, %d processes", err, f.Started())
	}
	if _, err := invoke(t, f, "panic"); err == nil {
		t.Error("a panic: no error")
	}
	if out, err := invoke(t, f, "hello"); err != nil || out != "hello by 2 in echo" {
		t.Errorf("after a panic: %q, %v, want the second process", out, err)
	}
}

func TestKillEndsAnInvocation(t *testing.T) {
	t.Parallel()
	type end struct {
		killed bool
		err    error
	}
	ends := make(chan end, 1)
	f := newFunction(t, func(o *lambdatest.Options) {
		o.Ended = func(_ *lambdatest.Process, killed bool, err error) { ends <- end{killed, err} }
	})
	if _, err := invoke(t, f, "hello"); err != nil {
		t.Fatal(err)
	}
	p := f.Processes()[0]
	go func() {
		for p.Deadline().IsZero() {
			time.Sleep(time.Millisecond)
		}
		p.Kill()
	}()
	if _, err := invoke(t, f, "sleep"); !errors.Is(err, lambdatest.ErrProcessEnded) {
		t.Errorf("Invoke: %v, want %v", err, lambdatest.ErrProcessEnded)
	}
	if e := <-ends; !e.killed || e.err == nil {
		t.Errorf("Ended(killed %v, %v), want a killed process", e.killed, e.err)
	}
	if out, err := invoke(t, f, "hello"); err != nil || out != "hello by 2 in echo" {
		t.Errorf("Invoke after Kill = %q, %v", out, err)
	}
}

func TestTheDeadlineIsPassedOnAndEnforced(t *testing.T) {
	t.Parallel()
	f := newFunction(t, func(o *lambdatest.Options) { o.Timeout = 2 * time.Second })
	out, err := invoke(t, f, "deadline")
	if err != nil {
		t.Fatal(err)
	}
	left, err := time.ParseDuration(out)
	if err != nil {
		t.Fatal(err)
	}
	if left <= 0 || left > 2*time.Second {
		t.Errorf("the function saw a deadline in %v, want at most 2 s", left)
	}
	if _, err := invoke(t, f, "sleep"); !errors.Is(err, lambdatest.ErrTimedOut) {
		t.Errorf("Invoke: %v, want %v", err, lambdatest.ErrTimedOut)
	}
}

func TestAFrozenProcessAnswersWhenThawed(t *testing.T) {
	t.Parallel()
	f := newFunction(t, nil)
	if _, err := invoke(t, f, "hello"); err != nil {
		t.Fatal(err)
	}
	p := f.Processes()[0]
	p.Freeze()
	begun := time.Now()
	time.AfterFunc(200*time.Millisecond, p.Thaw)
	if out, err := invoke(t, f, "hello"); err != nil || out != "hello by 1 in echo" || time.Since(begun) < 200*time.Millisecond {
		t.Errorf("Invoke of a frozen process = %q, %v after %v", out, err, time.Since(begun))
	}
}

func TestRenewEndsTheOldProcessesWhenTheyAreIdle(t *testing.T) {
	t.Parallel()
	f := newFunction(t, func(o *lambdatest.Options) { o.Concurrency = 2 })
	if _, err := invoke(t, f, "hello"); err != nil {
		t.Fatal(err)
	}
	p := f.Processes()[0]
	busy := make(chan string)
	go func() {
		out, err := invoke(t, f, "nap")
		busy <- fmt.Sprint(out, err)
	}()
	for p.Deadline().IsZero() {
		time.Sleep(time.Millisecond)
	}
	f.Renew()
	if out, err := invoke(t, f, "hello"); err != nil || out != "hello by 2 in echo" {
		t.Errorf("Invoke after Renew = %q, %v, want a new process", out, err)
	}
	if out := <-busy; out != "nap by 1 in echo<nil>" {
		t.Errorf("the running invocation: %s", out)
	}
	for len(f.Processes()) != 1 {
		time.Sleep(time.Millisecond) // the old process ends
	}
}

func TestAProcessThatDoesNotStartFailsTheInvocation(t *testing.T) {
	t.Parallel()
	f := newFunction(t, func(o *lambdatest.Options) {
		o.Env = func(int) []string { return []string{"LAMBDATEST_FUNCTION=broken"} }
	})
	if _, err := invoke(t, f, "hello"); !errors.Is(err, lambdatest.ErrProcessEnded) || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("Invoke: %v, want one with the exit status", err)
	}
	absent := newFunction(t, func(o *lambdatest.Options) { o.Bootstrap = "/absent/bootstrap" })
	if _, err := invoke(t, absent, "hello"); err == nil {
		t.Error("Invoke of an absent bootstrap: no error")
	}
}

func TestTheWaitForAProcessEndsWithTheContext(t *testing.T) {
	t.Parallel()
	f := newFunction(t, nil)
	go func() { _, _ = invoke(t, f, "sleep") }()
	for len(f.Processes()) == 0 {
		time.Sleep(time.Millisecond)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := f.Invoke(ctx, []byte(`"hello"`)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Invoke while all are busy: %v", err)
	}
}

func TestCloseLeavesNoProcess(t *testing.T) {
	t.Parallel()
	var output bytes.Buffer
	f := newFunction(t, func(o *lambdatest.Options) { o.Output = &output })
	if _, err := invoke(t, f, "hello"); err != nil {
		t.Fatal(err)
	}
	pid := f.Processes()[0].PID()
	f.Close()
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("process %d after Close: %v", pid, err)
	}
	if _, err := invoke(t, f, "hello"); err == nil {
		t.Error("Invoke after Close: no error")
	}
}
