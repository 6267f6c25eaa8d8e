package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/data-sink/data-sink/internal/operate/capacity/bill"
)

// asMain is the variable with which the program of the test runs main.
const asMain = "CAPACITY_TEST_AS_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(asMain) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

func TestBadFlags(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ args, want string }{
		{"-rate 0", "-rate 0: want 0.001 to 1e+08"},
		{"-rate many", `invalid value "many" for flag -rate`},
		{"-rate NaN", "-rate NaN"},
		{"-rate +Inf", "-rate +Inf"},
		{"-size 0 -streams 301", "-size 0: want 1 to 4.194304e+06\n-streams 301: want 1 to 300"},
		{"-streams 4 -busiest 0.2", "-busiest 0.2: want 0.25 (an equal share of 4 streams)"},
		{"-busiest -0.1", "-busiest -0.1"},
		{"-node cache.m1.small", `-node "cache.m1.small": want auto or one of cache.t4g.small, `},
		{"-drainer-memory 64", "-drainer-memory 64: want 128 to 10240"},
		{"-burst 10", "want times and duration as in 10x5m"},
		{"-burst 0.5x5m", "want times and duration"},
		{"-outage -5m", "-outage -5m0s: want up to 24h"},
		{"-max-backlog-mib 3", "add -burst or -outage"},
		{"-size 2000000 -outage 1m", "but bodies of 2000000 bytes become direct records"},
		{"-region=", "-region: want a Region"},
		{"orders", `"orders": not a flag`},
		{"-colour red", "flag provided but not defined: -colour"},
	} {
		err := run(strings.Fields(c.args), io.Discard, io.Discard)
		if !errors.As(err, new(usageError)) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want a usage error with %q", c.args, err, c.want)
		}
	}
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]int{"-rate 5": 0, "-h": 0, "-rate -5": 2, "-what": 2} {
		cmd := exec.Command(os.Args[0], strings.Fields(args)...)
		cmd.Env = append(os.Environ(), asMain+"=1")
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		err := cmd.Run()
		if got := cmd.ProcessState.ExitCode(); got != want {
			t.Errorf("%s: exit code %d, want %d (%v)", args, got, want, err)
		}
		if lines := strings.Count(stderr.String(), "\n"); want == 2 && (lines != 1 || !strings.HasPrefix(stderr.String(), "capacity: ")) {
			t.Errorf("%s: %q on standard error, want one line", args, stderr.String())
		}
	}
}

func TestTextAndJSONSayTheSame(t *testing.T) {
	t.Parallel()
	args := []string{"-rate", "3000", "-streams", "4", "-busiest", "0.7", "-burst", "2x1m"}
	var text, encoded bytes.Buffer
	if err := errors.Join(run(args, &text, io.Discard), run(append(args, "-json"), &encoded, io.Discard)); err != nil {
		t.Fatal(err)
	}
	var r report
	if err := json.Unmarshal(encoded.Bytes(), &r); err != nil {
		t.Fatal(err)
	}
	p := r.Plan
	sum := p.API.Dollars + p.Ingest.Dollars + p.Cache.Dollars + p.Drainer.Dollars + p.Tap.Dollars + p.Bridge.Dollars +
		p.Firehose.Dollars + p.Archive.Dollars + p.Watching.Dollars + p.Network.Dollars
	if math.Abs(sum-p.Dollars) > 0.01 || p.Dollars == 0 {
		t.Errorf("the hops cost $%.2f, all of it $%.2f", sum, p.Dollars)
	}
	if million := p.Dollars / (3000 * bill.MonthSeconds) * 1e6; math.Abs(million-p.DollarsMillion) > 1e-9 {
		t.Errorf("$%g a million, want $%g", p.DollarsMillion, million)
	}
	for _, want := range append([]string{
		"total", commas(p.Dollars), "without traffic", commas(p.Floor), dollars(p.DollarsMillion), "next ceiling:", caveat, "simulation: 2 times the rate for 1m", commas(r.Simulation.PeakRecords) + " records",
	}, append(p.Set, p.Ask...)...) {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the text has no %q:\n%s", want, text.String())
		}
	}
	if r.Prices != caveat {
		t.Errorf("JSON says %q of prices", r.Prices)
	}
	// Every row of the table ends at the same column.
	width := 0
	rows := strings.Split(strings.Split(text.String(), "\n\n")[1], "\n")
	for _, row := range rows {
		if n := len([]rune(row)); width == 0 {
			width = n
		} else if n != width {
			t.Errorf("a row has %d columns, want %d: %s", n, width, row)
		}
	}
	if len(rows) != 13 {
		t.Errorf("%d rows, want a head, ten hops, a total and the floor", len(rows))
	}
}

func TestNumbersForPeople(t *testing.T) {
	t.Parallel()
	for v, want := range map[float64]string{0: "0", 999: "999", 1000: "1,000", 1234567.6: "1,234,568", -1234: "-1,234"} {
		if got := commas(v); got != want {
			t.Errorf("commas(%g) = %q, want %q", v, got, want)
		}
	}
	for v, want := range map[float64]string{0.5: "512 MiB", 5: "5 GiB", 20480: "20 TiB"} {
		if got := size(v); got != want {
			t.Errorf("size(%g) = %q, want %q", v, got, want)
		}
	}
}
