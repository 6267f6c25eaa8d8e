package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestFunctionReturnsTheFirstFailure runs the code in function.yaml with an event whose
// second record is cut off.
func TestFunctionReturnsTheFirstFailure(t *testing.T) {
	t.Parallel()
	template, err := os.ReadFile("function.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(template), "ZipFile: |\n")
	var code strings.Builder
	for line := range strings.Lines(rest) {
		unindented, ok := strings.CutPrefix(line, strings.Repeat(" ", 10))
		if !ok && line != "\n" {
			break
		}
		code.WriteString(unindented)
	}
	for event, want := range map[string]string{
		`{"data": "b25l", "sequenceNumber": "1"}`: "3\n[]\n",
		`{"data": "b25l", "sequenceNumber": "1"}, {"data": "b", "sequenceNumber": "2"}, {"data": "b25l", "sequenceNumber": "3"}`: "3\n[{'itemIdentifier': '2'}]\n",
	} {
		var records []string
		for record := range strings.SplitSeq(event, "}, ") {
			records = append(records, `{"kinesis": `+strings.TrimSuffix(record, "}")+"}}")
		}
		run := code.String() + "\n\nprint(handler({'Records': [" + strings.Join(records, ", ") + "]}, None)['batchItemFailures'])\n"
		out, err := exec.CommandContext(t.Context(), tool(t, ".tools/clients/bin/python"), "-c", run).CombinedOutput()
		if err != nil || string(out) != want {
			t.Errorf("the function of %s printed %q, %v, want %q", event, out, err, want)
		}
	}
}
