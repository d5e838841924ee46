package rebuild

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"tidemark/pipeline/source"
)

// span is the log of a partition, and how far a generation's group has committed it.
type span struct {
	id         source.ID
	start, end int64
	committed  int64 // start if there is no commit
}

// logs are those of all partitions at one moment.
type logs []span

// readLogs asks Kafka for the logs of the topics, and for the commits of a group.
func readLogs(ctx context.Context, admin *kadm.Client, group string, topics []string) (logs, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	details, err := admin.ListTopics(ctx, topics...)
	if err == nil {
		err = details.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("list the topics: %w", err)
	}
	starts, err := admin.ListStartOffsets(ctx, topics...)
	if err == nil {
		err = starts.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("list where the logs start: %w", err)
	}
	ends, err := admin.ListCommittedOffsets(ctx, topics...)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("list where the logs end: %w", err)
	}
	commits, err := admin.FetchOffsetsForTopics(ctx, group, topics...)
	if err == nil {
		err = commits.Error()
	}
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) { // nobody has joined yet
		return nil, fmt.Errorf("fetch the commits of the group %s: %w", group, err)
	}
	var all logs
	starts.Each(func(o kadm.ListedOffset) {
		end, _ := ends.Lookup(o.Topic, o.Partition)
		s := span{
			id:    source.ID{Topic: o.Topic, Partition: o.Partition, TopicID: details[o.Topic].ID},
			start: o.Offset, end: max(end.Offset, o.Offset), committed: o.Offset,
		}
		if c, ok := commits.Lookup(o.Topic, o.Partition); ok && c.At > s.start {
			s.committed = c.At
		}
		all = append(all, s)
	})
	slices.SortFunc(all, func(a, b span) int { return strings.Compare(a.id.String(), b.id.String()) })
	return all, nil
}

// sources are the logs' names in ClickHouse.
func (l logs) sources() []string {
	names := make([]string, len(l))
	for i, s := range l {
		names[i] = s.id.String()
	}
	return names
}

// progress is how many offsets there are, and how many of them are done.
func (l logs) progress() (done, total int64) {
	for _, s := range l {
		done += min(s.committed, s.end) - s.start
		total += s.end - s.start
	}
	return done, total
}

// reached says whether everything up to the ends of earlier is committed.
func (l logs) reached(earlier logs) bool {
	committed := map[string]int64{}
	for _, s := range l {
		committed[s.id.String()] = s.committed
	}
	for _, s := range earlier {
		if committed[s.id.String()] < s.end {
			return false
		}
	}
	return true
}

// missing describes the logs whose beginning is gone, and from which moment on everything is there.
func (l logs) missing(ctx context.Context, admin *kadm.Client) (gone []string, from time.Time, err error) {
	for _, s := range l {
		if s.start == 0 {
			continue
		}
		ctx, cancel := context.WithTimeout(ctx, lookTimeout)
		defer cancel() //nolint:gocritic // a few partitions
		first, err := admin.ListOffsetsAfterMilli(ctx, 0, s.id.Topic)
		if err == nil {
			err = first.Error()
		}
		if err != nil {
			return nil, from, fmt.Errorf("find the first record of %s: %w", s.id, err)
		}
		text := fmt.Sprintf("%s/%d begins at offset %d", s.id.Topic, s.id.Partition, s.start)
		if o, ok := first.Lookup(s.id.Topic, s.id.Partition); ok && o.Timestamp > 0 {
			at := time.UnixMilli(o.Timestamp).UTC()
			text += ", which is of " + at.Format(time.RFC3339)
			if at.After(from) {
				from = at
			}
		} else if now := time.Now().UTC(); now.After(from) {
			text += ", and is empty"
			from = now
		}
		gone = append(gone, text)
	}
	return gone, from, nil
}
