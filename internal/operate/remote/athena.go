package remote

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/athena"
	"github.com/aws/aws-sdk-go-v2/service/athena/types"
)

type athenaAPI interface {
	StartQueryExecution(context.Context, *athena.StartQueryExecutionInput, ...func(*athena.Options)) (*athena.StartQueryExecutionOutput, error)
	GetQueryExecution(context.Context, *athena.GetQueryExecutionInput, ...func(*athena.Options)) (*athena.GetQueryExecutionOutput, error)
	GetQueryResults(context.Context, *athena.GetQueryResultsInput, ...func(*athena.Options)) (*athena.GetQueryResultsOutput, error)
	StopQueryExecution(context.Context, *athena.StopQueryExecutionInput, ...func(*athena.Options)) (*athena.StopQueryExecutionOutput, error)
}

var _ athenaAPI = (*athena.Client)(nil)

// athenaPause is the time between two questions about the state of a query.
const athenaPause = 500 * time.Millisecond

// Athena runs SQL statements in Amazon Athena.
type Athena struct {
	Client athenaAPI
	// Workgroup is the workgroup. Results is the S3 URI of a folder for results; if it
	// is empty, the workgroup must have one.
	Workgroup, Results string
}

// Run runs statements, one after another, until one fails. It calls row with the rows of
// the last statement, beginning with the names of the columns; NULL is an empty text.
// When ctx ends, Run cancels the query that runs.
func (a Athena) Run(ctx context.Context, statements []string, row func([]string) error) error {
	for i, statement := range statements {
		id, err := a.run(ctx, strings.TrimSuffix(statement, ";"))
		if err == nil && i == len(statements)-1 {
			err = a.rows(ctx, id, row)
		}
		if err != nil {
			return fmt.Errorf("running statement %d of %d in Athena: %w", i+1, len(statements), err)
		}
	}
	return nil
}

// run runs a statement and waits for its end.
func (a Athena) run(ctx context.Context, statement string) (id *string, err error) {
	in := &athena.StartQueryExecutionInput{QueryString: &statement, WorkGroup: &a.Workgroup}
	if a.Results != "" {
		in.ResultConfiguration = &types.ResultConfiguration{OutputLocation: &a.Results}
	}
	started, err := a.Client.StartQueryExecution(ctx, in)
	if err != nil {
		return nil, err
	}
	id = started.QueryExecutionId
	for {
		out, err := a.Client.GetQueryExecution(ctx, &athena.GetQueryExecutionInput{QueryExecutionId: id})
		if err != nil && ctx.Err() == nil {
			return nil, err
		}
		if err == nil {
			switch status := out.QueryExecution.Status; status.State {
			case types.QueryExecutionStateSucceeded:
				return id, nil
			case types.QueryExecutionStateFailed, types.QueryExecutionStateCancelled:
				return nil, fmt.Errorf("query %s: %s: %s", aws.ToString(id), status.State, aws.ToString(status.StateChangeReason))
			}
		}
		select {
		case <-ctx.Done():
			_, _ = a.Client.StopQueryExecution(context.WithoutCancel(ctx), &athena.StopQueryExecutionInput{QueryExecutionId: id}) // The query may have ended.
			return nil, context.Cause(ctx)
		case <-time.After(athenaPause):
		}
	}
}

// rows calls row with the rows of a query.
func (a Athena) rows(ctx context.Context, id *string, row func([]string) error) error {
	pages := athena.NewGetQueryResultsPaginator(a.Client, &athena.GetQueryResultsInput{QueryExecutionId: id})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, r := range page.ResultSet.Rows {
			var values []string
			for _, d := range r.Data {
				values = append(values, aws.ToString(d.VarCharValue))
			}
			if err := row(values); err != nil {
				return err
			}
		}
	}
	return nil
}
