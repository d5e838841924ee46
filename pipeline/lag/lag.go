// Package lag tells from outside how far the pipeline's group is behind: of each source what is committed, how long the
// oldest record that is not has waited, who is at it, and what became of the records so far.
package lag

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sethvargo/go-retry"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/pipeline/source"
)

// State is what a source's commit and its owner say about it.
type State string

// The states of a source, the gravest last.
const (
	OK          State = "ok"           // owned; how far it is, its lag says
	Uncommitted State = "uncommitted"  // there are records, and none is committed yet
	Unassigned  State = "unassigned"   // no member of the group owns it
	NewLog      State = "new log"      // the topic was created anew since; it will be read from its start
	Foreign     State = "foreign"      // the commit was not written by Tidemark
	OutOfRange  State = "out of range" // the committed offset is outside the log: records were deleted before they were read
)

// Source is where one partition stands.
type Source struct {
	Topic        string     `json:"topic"`
	Partition    int32      `json:"partition"`
	TopicID      string     `json:"topic_id"`
	Committed    *int64     `json:"committed_offset"` // null: nothing is committed
	Start        int64      `json:"start_offset"`
	End          int64      `json:"end_offset"`    // of what readers of committed transactions see
	HeldBack     int64      `json:"held_back"`     // records beyond it that an open transaction holds back
	LagRecords   int64      `json:"lag_records"`   // offsets from the committed one to the end
	LagSeconds   *float64   `json:"lag_seconds"`   // age of the first record that is not committed; 0: there is none; null: not found in time
	Watermark    *time.Time `json:"watermark"`     // event time up to which its windows are complete
	WatermarkAge *float64   `json:"watermark_age"` // seconds
	Owner        string     `json:"owner"`         // instance id, or else client id and host
	State        State      `json:"state"`
	Problem      string     `json:"problem,omitempty"` // what a grave state means, and what to do
}

// Group is the consumer group's standing.
type Group struct {
	Name    string `json:"name"`
	State   string `json:"state"` // as Kafka names it
	Members int    `json:"members"`
}

// Total sums up all sources.
type Total struct {
	LagRecords int64    `json:"lag_records"`
	LagSeconds *float64 `json:"lag_seconds"` // the worst; null: unknown for one of them
}

// Report is one measurement.
type Report struct {
	MeasuredAt      time.Time     `json:"measured_at"`
	Group           Group         `json:"group"`
	Sources         []Source      `json:"sources"`
	MissingTopics   []string      `json:"missing_topics,omitempty"`
	Total           Total         `json:"total"`
	Records         []Records     `json:"records"`      // null if ClickHouse was not reached
	DeadLetters     []DeadLetters `json:"dead_letters"` // null if ClickHouse was not reached
	ClickHouseError string        `json:"clickhouse_error,omitempty"`
	Normaliser      *Report       `json:"normaliser,omitempty"` // the group that reads raw topics; nil where none is declared
}

// Meter measures the lag of a group.
type Meter struct {
	Client *kgo.Client // for requests; it consumes nothing
	Kafka  []kgo.Opt   // brokers, TLS, SASL: to read the first records that are not committed
	Group  string
	Topics []string
	Plain  bool // the group's commits are offsets alone, as the normaliser's
}

// Measure asks Kafka where the group stands.
func (m *Meter) Measure(ctx context.Context) (*Report, error) {
	admin := kadm.NewClient(m.Client)
	report := &Report{Group: Group{Name: m.Group}}
	details, err := admin.ListTopics(ctx, m.Topics...)
	if err != nil {
		return nil, fmt.Errorf("describe the topics: %w", err)
	}
	var topics []string
	for _, t := range m.Topics {
		switch err := details[t].Err; {
		case errors.Is(err, kerr.UnknownTopicOrPartition):
			report.MissingTopics = append(report.MissingTopics, t)
		case err != nil:
			return nil, fmt.Errorf("describe topic %s: %w", t, err)
		default:
			topics = append(topics, t)
		}
	}
	owners, err := m.group(ctx, admin, &report.Group)
	if err != nil {
		return nil, err
	}
	if len(topics) > 0 {
		if err := m.sources(ctx, admin, report, details, topics, owners); err != nil {
			return nil, err
		}
	}
	report.MeasuredAt = time.Now().UTC()
	report.sum()
	return report, nil
}

// partition is a key of maps.
type partition struct {
	topic string
	n     int32
}

// group describes the group, and says who owns what.
func (m *Meter) group(ctx context.Context, admin *kadm.Client, into *Group) (map[partition]string, error) {
	var g kadm.DescribedGroup
	backoff := retry.WithCappedDuration(time.Second, retry.NewExponential(100*time.Millisecond))
	err := retry.Do(ctx, backoff, func(ctx context.Context) error {
		groups, err := admin.DescribeGroups(ctx, m.Group)
		g = groups[m.Group]
		if err = errors.Join(err, g.Err); notYet(err) {
			return retry.RetryableError(err)
		}
		return err
	})
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return nil, fmt.Errorf("describe group %s: %w", m.Group, err)
	}
	into.State, into.Members = g.State, len(g.Members)
	if into.State == "" {
		into.State = "Dead"
	}
	owners := map[partition]string{}
	for _, member := range g.Members {
		name := member.ClientID + "@" + strings.TrimPrefix(member.ClientHost, "/")
		if member.InstanceID != nil {
			name = *member.InstanceID
		}
		assigned, ok := member.Assigned.AsConsumer()
		if !ok {
			continue
		}
		for _, t := range assigned.Topics {
			for _, p := range t.Partitions {
				owners[partition{t.Topic, p}] = name
			}
		}
	}
	return owners, nil
}

// notYet says whether the group's coordinator is about to be found: a new cluster makes the place for it when first asked.
func notYet(err error) bool {
	return errors.Is(err, kerr.CoordinatorNotAvailable) || errors.Is(err, kerr.CoordinatorLoadInProgress) || errors.Is(err, kerr.NotCoordinator)
}

// sources fills in the sources of the topics.
func (m *Meter) sources(ctx context.Context, admin *kadm.Client, report *Report, details kadm.TopicDetails, topics []string, owners map[partition]string) error {
	// Commits before ends, so that no lag is negative.
	commits, err := admin.FetchOffsetsForTopics(ctx, m.Group, topics...)
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) { // then nothing is committed yet
		return fmt.Errorf("fetch the commits of group %s: %w", m.Group, err)
	}
	starts, err := admin.ListStartOffsets(ctx, topics...)
	if err != nil {
		return fmt.Errorf("list the starts of the logs: %w", err)
	}
	stable, err := admin.ListCommittedOffsets(ctx, topics...)
	if err != nil {
		return fmt.Errorf("list the ends of the logs: %w", err)
	}
	ends, err := admin.ListEndOffsets(ctx, topics...)
	if err != nil {
		return fmt.Errorf("list the ends of the logs: %w", err)
	}
	for _, topic := range topics {
		for _, p := range slices.Sorted(maps.Keys(details[topic].Partitions)) {
			start, _ := starts.Lookup(topic, p)
			end, _ := stable.Lookup(topic, p)
			high, ok := ends.Lookup(topic, p)
			if err := errors.Join(start.Err, end.Err, high.Err); err != nil || !ok {
				return fmt.Errorf("list the log of %s/%d: %w", topic, p, err)
			}
			id := source.ID{Topic: topic, Partition: p, TopicID: details[topic].ID}
			s := Source{
				Topic: topic, Partition: p, TopicID: id.Log(), Start: start.Offset, End: end.Offset,
				HeldBack: max(high.Offset-end.Offset, 0), Owner: owners[partition{topic, p}], State: OK,
			}
			if c, ok := commits.Lookup(topic, p); ok && c.At >= 0 {
				s.Committed = &c.At
				if !m.Plain {
					s.readMetadata(c.Metadata)
				}
			}
			s.judge()
			report.Sources = append(report.Sources, s)
		}
	}
	return m.ages(ctx, report.Sources)
}

// readMetadata takes the watermark out of the commit.
func (s *Source) readMetadata(text string) {
	meta, err := source.ParseMetadata(text)
	switch {
	case err != nil:
		s.State, s.Problem = Foreign, err.Error()
	case meta.TopicID != s.TopicID:
		s.State, s.Problem = NewLog, "the topic was created anew; its log will be read from the start"
	case meta.Watermark > 0:
		at := time.UnixMilli(meta.Watermark).UTC()
		s.Watermark = &at
	}
}

// judge sets the lag in records and the state.
func (s *Source) judge() {
	s.LagRecords = max(s.End-s.from(), 0)
	if s.State != OK {
		return
	}
	switch {
	case s.Committed != nil && (*s.Committed < s.Start || *s.Committed > s.End+s.HeldBack):
		s.State = OutOfRange
		s.Problem = fmt.Sprintf("the log holds %d to %d: records were deleted before they were read; restore the log, or accept the loss by resetting the group's offset",
			s.Start, s.End)
	case s.Owner == "":
		s.State = Unassigned
	case s.Committed == nil && s.LagRecords > 0:
		s.State = Uncommitted
	}
}

// from is the offset of the first record that is not committed.
func (s *Source) from() int64 {
	if s.Committed == nil || s.State == NewLog {
		return s.Start
	}
	return max(*s.Committed, s.Start)
}

// sum fills in what follows from the sources.
func (r *Report) sum() {
	worst := 0.0
	r.Total.LagSeconds = &worst
	for i := range r.Sources {
		s := &r.Sources[i]
		r.Total.LagRecords += s.LagRecords
		switch {
		case s.LagSeconds == nil:
			r.Total.LagSeconds = nil
		case r.Total.LagSeconds != nil:
			worst = max(worst, *s.LagSeconds)
		}
		if s.Watermark != nil {
			age := r.MeasuredAt.Sub(*s.Watermark).Seconds()
			s.WatermarkAge = &age
		}
	}
}
