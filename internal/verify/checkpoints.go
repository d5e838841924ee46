package verify

import (
	"context"
	"fmt"
	"strconv"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"tidemark/internal/recount"
	"tidemark/sinks/clickhouse"
)

// checkpointsAtOnce bounds the checkpoints in memory.
const checkpointsAtOnce = 10_000

// checkpoints compares the checkpoints of a span with the counts of the records
// below them. Where the span does not begin with the log, the first one is
// taken as it is, and the others are compared by what lies between.
type checkpoints struct {
	session *session
	span    *span

	waiting  []checkpoint
	asked    int64 // read up to this offset
	ended    bool  // there are no more
	mine     recount.Verdicts
	next     int64 // offset after the last record
	holes    bool  // records were compacted away, so nobody can count them again
	base     checkpoint
	based    bool
	compared int
}

type checkpoint struct {
	offset   int64
	verdicts recount.Verdicts
}

// count takes a record's verdict.
func (c *checkpoints) count(offset int64, kind recount.VerdictKind) {
	if c.span.Topic == c.session.opts.Log.Accounts && offset != max(c.next, c.span.begin) {
		c.holes = true
	}
	c.next = offset + 1
	c.mine.Add(kind)
}

// reach compares the checkpoints up to an offset, below which all records have
// been counted.
func (c *checkpoints) reach(ctx context.Context, offset int64) error {
	for {
		if len(c.waiting) == 0 && !c.ended {
			if err := c.read(ctx); err != nil {
				return fmt.Errorf("read the checkpoints: %w", err)
			}
		}
		if len(c.waiting) == 0 || c.waiting[0].offset > offset {
			return nil
		}
		c.compare(c.waiting[0])
		c.waiting = c.waiting[1:]
	}
}

func (c *checkpoints) compare(p checkpoint) {
	if c.span.Topic == c.session.opts.Log.Accounts && p.offset != max(c.next, c.span.begin) {
		c.holes = true
	}
	v := p.verdicts
	if sum := v.Applied + v.Duplicate + v.Filtered + v.DeadLettered; sum != v.Received {
		c.differ(p.offset, "sum of verdicts", v.Received, sum)
	}
	if c.holes {
		return
	}
	if !c.based {
		c.based = true
		if c.span.begin > 0 {
			c.base = checkpoint{p.offset, less(v, c.mine)} // wraps around, as what is compared does
			return
		}
	}
	c.compared++
	got := less(v, c.base.verdicts)
	for _, n := range []struct {
		metric    string
		want, got uint64
	}{
		{"received", c.mine.Received, got.Received}, {"applied", c.mine.Applied, got.Applied}, {"duplicate", c.mine.Duplicate, got.Duplicate},
		{"filtered", c.mine.Filtered, got.Filtered}, {"dead_lettered", c.mine.DeadLettered, got.DeadLettered},
	} {
		if n.want != n.got {
			c.differ(p.offset, n.metric, n.want, n.got)
		}
	}
}

func (c *checkpoints) differ(offset int64, metric string, want, got uint64) {
	c.session.report.differ(Difference{
		Table: "checkpoints", Metric: metric, Source: c.span.Source, Offset: &offset,
		Log: strconv.FormatUint(want, 10), ClickHouse: strconv.FormatInt(int64(got), 10), //nolint:gosec // less than nothing is shown as such
	})
}

func less(a, b recount.Verdicts) recount.Verdicts {
	return recount.Verdicts{
		Received: a.Received - b.Received, Applied: a.Applied - b.Applied, Duplicate: a.Duplicate - b.Duplicate,
		Filtered: a.Filtered - b.Filtered, DeadLettered: a.DeadLettered - b.DeadLettered,
	}
}

// read reads the next checkpoints, versions of one that differ included.
func (c *checkpoints) read(ctx context.Context) error {
	from := max(c.asked, c.span.begin)
	err := clickhouse.Each(ctx, c.session.conn, `SELECT DISTINCT offset, received, applied, duplicate, filtered, dead_lettered
		FROM checkpoints WHERE source = ? AND offset >= ? AND offset <= ? ORDER BY offset LIMIT ? WITH TIES`, func(rows driver.Rows) error {
		var p checkpoint
		var offset uint64
		v := &p.verdicts
		if err := rows.Scan(&offset, &v.Received, &v.Applied, &v.Duplicate, &v.Filtered, &v.DeadLettered); err != nil {
			return err
		}
		p.offset = int64(offset)
		c.waiting = append(c.waiting, p)
		c.asked = p.offset + 1
		return nil
	}, c.span.Source, uint64(from), uint64(c.span.end), checkpointsAtOnce) //nolint:gosec // not negative
	c.ended = len(c.waiting) < checkpointsAtOnce
	return err
}
