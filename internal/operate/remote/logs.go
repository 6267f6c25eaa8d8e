package remote

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
)

// Log is the log group of one function. It is safe for concurrent use.
type Log struct {
	client *cloudwatchlogs.Client
	group  string
}

// logsAttempts bounds the attempts of one call. FilterLogEvents is throttled at
// a few calls a second for the whole account.
const logsAttempts = 8

// NewLog returns the log group of that name.
func NewLog(cfg aws.Config, group string) *Log {
	client := cloudwatchlogs.NewFromConfig(cfg, func(o *cloudwatchlogs.Options) { o.RetryMaxAttempts = logsAttempts })
	return &Log{client: client, group: group}
}

// slack is by how much the time of a line may differ from the time at which
// CloudWatch received the line.
const slack = 5 * time.Minute

// Lines calls each with the log lines that contain all words and were logged
// from one time to another. The caller must check the lines: some were logged up
// to five minutes earlier or later, and some contain the words in another place.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html
func (l *Log) Lines(ctx context.Context, words []string, from, to time.Time, each func(line []byte) error) error {
	in := &cloudwatchlogs.FilterLogEventsInput{
		LogGroupName: &l.group,
		StartTime:    aws.Int64(max(from.Add(-slack).UnixMilli(), 0)), EndTime: aws.Int64(to.Add(slack).UnixMilli()),
	}
	if len(words) > 0 {
		in.FilterPattern = aws.String(`"` + strings.Join(words, `" "`) + `"`)
	}
	pages := cloudwatchlogs.NewFilterLogEventsPaginator(l.client, in)
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("reading log group %s: %w", l.group, err)
		}
		for _, e := range page.Events {
			if err := each([]byte(strings.TrimSpace(aws.ToString(e.Message)))); err != nil {
				return err
			}
		}
	}
	return nil
}
