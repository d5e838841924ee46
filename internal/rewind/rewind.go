// Package rewind sets a consumer group back to what a ClickHouse that was restored from a backup has counted.
package rewind

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"tidemark/pipeline/source"
	"tidemark/sinks/clickhouse"
)

// Options say whose offsets are set.
type Options struct {
	Admin      *kadm.Client
	Store      *clickhouse.Client // of the generation that is live
	Group      string             // of that generation
	Topics     []string
	AcceptLoss bool // go on past records that the log no longer has
}

// Step is what becomes of one source.
type Step struct {
	Source    source.ID
	Committed int64  // the group's offset; -1: none
	Offset    uint64 // that of the last checkpoint, or where the log begins if it has lost what came after that
	Lost      uint64 // how many records were deleted before they were read
}

func (s Step) String() string {
	text := fmt.Sprintf("%s/%d: from %d back to %d", s.Source.Topic, s.Source.Partition, s.Committed, s.Offset)
	if s.Committed < 0 {
		text = fmt.Sprintf("%s/%d: to %d", s.Source.Topic, s.Source.Partition, s.Offset)
	}
	if s.Lost > 0 {
		text += fmt.Sprintf(", past %d records that the log no longer has", s.Lost)
	}
	return text
}

// Run sets the offsets, and returns those that it set. It refuses, and changes nothing, while the group has members, where ClickHouse
// has counted more than the log holds, and, unless the loss is accepted, where the log no longer has what is to be read again.
func Run(ctx context.Context, o Options) ([]Step, error) {
	described, err := o.Admin.DescribeGroups(ctx, o.Group)
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return nil, fmt.Errorf("describe the group %s: %w", o.Group, err)
	}
	if n := len(described[o.Group].Members); n > 0 {
		return nil, fmt.Errorf("the group %s has %d members: end all pipelines first, and wait for kafka.session_timeout", o.Group, n)
	}
	steps, err := o.plan(ctx)
	if err != nil || len(steps) == 0 {
		return nil, err
	}
	offsets := kadm.Offsets{}
	for _, s := range steps {
		// No metadata says that somebody has set it, and the pipeline looks what is there.
		offsets.AddOffset(s.Source.Topic, s.Source.Partition, int64(s.Offset), -1) //nolint:gosec // an offset
	}
	if err := o.Admin.CommitAllOffsets(ctx, o.Group, offsets); err != nil {
		return nil, fmt.Errorf("set the offsets of the group %s: %w", o.Group, err)
	}
	return steps, nil
}

func (o *Options) plan(ctx context.Context) ([]Step, error) {
	topics, err := o.Admin.ListTopics(ctx, o.Topics...)
	if err == nil {
		err = topics.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("list the topics: %w", err)
	}
	first, err := o.Admin.ListStartOffsets(ctx, o.Topics...)
	if err != nil {
		return nil, fmt.Errorf("list where the logs begin: %w", err)
	}
	end, err := o.Admin.ListEndOffsets(ctx, o.Topics...)
	if err != nil {
		return nil, fmt.Errorf("list where the logs end: %w", err)
	}
	commits, err := o.Admin.FetchOffsetsForTopics(ctx, o.Group, o.Topics...)
	if err != nil {
		return nil, fmt.Errorf("fetch the offsets of the group %s: %w", o.Group, err)
	}
	var steps []Step
	var problems []string
	for _, t := range topics.Sorted() {
		for _, p := range t.Partitions.Sorted() {
			f, _ := first.Lookup(t.Topic, p.Partition)
			e, _ := end.Lookup(t.Topic, p.Partition)
			c, ok := commits.Lookup(t.Topic, p.Partition)
			if !ok {
				c.At = -1
			}
			s := Step{Source: source.ID{Topic: t.Topic, Partition: p.Partition, TopicID: t.ID}, Committed: c.At}
			problem, err := o.locate(ctx, &s, uint64(f.Offset), uint64(e.Offset)) //nolint:gosec // offsets
			if err != nil {
				return nil, err
			}
			if problem != "" {
				problems = append(problems, problem)
			}
			if int64(s.Offset) != c.At && (c.At >= 0 || s.Offset > 0) { //nolint:gosec // an offset
				steps = append(steps, s)
			}
		}
	}
	if len(problems) > 0 {
		slices.Sort(problems)
		return nil, errors.New(strings.Join(problems, "\n"))
	}
	return steps, nil
}

// locate finds where counting goes on, or says why it cannot.
func (o *Options) locate(ctx context.Context, s *Step, first, end uint64) (problem string, err error) {
	last, found, err := o.Store.LastCheckpoint(ctx, s.Source.String())
	if err != nil {
		return "", fmt.Errorf("look for the last checkpoint of %s: %w", s.Source, err)
	}
	if !found {
		last = 0
	}
	s.Offset = max(last, first)
	s.Lost = s.Offset - last
	switch {
	case last > end:
		return fmt.Sprintf("%s/%d: ClickHouse has counted up to offset %d, but the log ends at %d: it lacks records that were counted. Restore the log, or count anew what it has (tidemark rebuild)",
			s.Source.Topic, s.Source.Partition, last, end), nil
	case s.Lost > 0 && !o.AcceptLoss:
		return fmt.Sprintf("%s/%d: %d records, %d to %d, were deleted from the log since the backup and cannot be read again. Use a younger backup, or go on without them: --accept-loss",
			s.Source.Topic, s.Source.Partition, s.Lost, last, first-1), nil
	}
	return "", nil
}
