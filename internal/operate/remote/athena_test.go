package remote_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/athena"
	"github.com/aws/aws-sdk-go-v2/service/athena/types"
	"github.com/data-sink/data-sink/internal/operate/remote"
	"github.com/google/go-cmp/cmp"
)

// queries is an Athena in which a query runs for a second. A statement that contains
// FAIL fails. The result is two pages.
type queries struct {
	started map[string]time.Time // by statement, which is the ID too
	order   []string
	results string
	stopped string
}

func (q *queries) StartQueryExecution(_ context.Context, in *athena.StartQueryExecutionInput, _ ...func(*athena.Options)) (*athena.StartQueryExecutionOutput, error) {
	q.started[*in.QueryString] = time.Now()
	q.order = append(q.order, *in.QueryString)
	q.results = *in.WorkGroup + " " + aws.ToString(in.ResultConfiguration.OutputLocation)
	return &athena.StartQueryExecutionOutput{QueryExecutionId: in.QueryString}, nil
}

func (q *queries) GetQueryExecution(ctx context.Context, in *athena.GetQueryExecutionInput, _ ...func(*athena.Options)) (*athena.GetQueryExecutionOutput, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	status := &types.QueryExecutionStatus{State: types.QueryExecutionStateRunning}
	switch {
	case time.Since(q.started[*in.QueryExecutionId]) < time.Second:
	case strings.Contains(*in.QueryExecutionId, "FAIL"):
		status.State, status.StateChangeReason = types.QueryExecutionStateFailed, aws.String("mismatched input")
	default:
		status.State = types.QueryExecutionStateSucceeded
	}
	return &athena.GetQueryExecutionOutput{QueryExecution: &types.QueryExecution{Status: status}}, nil
}

func (q *queries) GetQueryResults(_ context.Context, in *athena.GetQueryResultsInput, _ ...func(*athena.Options)) (*athena.GetQueryResultsOutput, error) {
	row := func(values ...*string) types.Row {
		var r types.Row
		for _, v := range values {
			r.Data = append(r.Data, types.Datum{VarCharValue: v})
		}
		return r
	}
	if in.NextToken == nil {
		return &athena.GetQueryResultsOutput{NextToken: aws.String("2"), ResultSet: &types.ResultSet{Rows: []types.Row{row(aws.String("hour"), aws.String("lines"))}}}, nil
	}
	return &athena.GetQueryResultsOutput{ResultSet: &types.ResultSet{Rows: []types.Row{row(aws.String("7"), nil)}}}, nil
}

func (q *queries) StopQueryExecution(_ context.Context, in *athena.StopQueryExecutionInput, _ ...func(*athena.Options)) (*athena.StopQueryExecutionOutput, error) {
	q.stopped = *in.QueryExecutionId
	return nil, nil
}

func TestAthenaRunsStatementsInOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := &queries{started: make(map[string]time.Time)}
		a := remote.Athena{Client: q, Workgroup: "primary", Results: "s3://results/"}
		var rows [][]string
		each := func(row []string) error {
			rows = append(rows, row)
			return nil
		}
		if err := a.Run(t.Context(), []string{"CREATE TABLE a;", "SELECT 1;"}, each); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([][]string{{"hour", "lines"}, {"7", ""}}, rows); diff != "" {
			t.Errorf("rows differ (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"CREATE TABLE a", "SELECT 1"}, q.order); diff != "" || q.results != "primary s3://results/" {
			t.Errorf("results in %q; statements differ (-want +got):\n%s", q.results, diff)
		}
	})
}

func TestAthenaEndsAtAFailureAndAtAnInterrupt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := &queries{started: make(map[string]time.Time)}
		a := remote.Athena{Client: q, Workgroup: "primary", Results: "s3://results/"}
		err := a.Run(t.Context(), []string{"FAIL;", "SELECT 1;"}, nil)
		if err == nil || !strings.Contains(err.Error(), "statement 1 of 2 in Athena") || !strings.Contains(err.Error(), "mismatched input") || len(q.order) != 1 {
			t.Errorf("Run = %v after %q, want the reason after the first statement", err, q.order)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if err := a.Run(ctx, []string{"SELECT 2;"}, nil); !errors.Is(err, context.DeadlineExceeded) || q.stopped != "SELECT 2" {
			t.Errorf("Run = %v, and it stopped %q, want the query stopped", err, q.stopped)
		}
	})
}
