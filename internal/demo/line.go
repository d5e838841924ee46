// Package demo shows a running demo to the person who started it: addresses, a line of live figures, a summary.
package demo

import (
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// Line is a line of figures on a terminal, which is written over; elsewhere it is written anew, but seldom.
type Line struct {
	out      io.Writer
	terminal bool
	last     time.Time
	open     bool
}

// seldom is how far apart the lines are where they cannot be written over.
const seldom = 5 * time.Second

// NewLine returns a line on out.
func NewLine(out io.Writer) *Line {
	terminal := false
	if f, ok := out.(*os.File); ok {
		info, err := f.Stat()
		terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return &Line{out: out, terminal: terminal}
}

// Show replaces the line's text.
func (l *Line) Show(now time.Time, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	switch {
	case l.terminal:
		fmt.Fprintf(l.out, "\r\x1b[K%s", text)
		l.open = true
	case now.Sub(l.last) >= seldom:
		l.last = now
		fmt.Fprintln(l.out, text)
	}
}

// End leaves the line as it stands, so that what follows starts on a new one.
func (l *Line) End() {
	if l.open {
		fmt.Fprintln(l.out)
		l.open = false
	}
}

// Figures are the live figures of a demo.
type Figures struct {
	Events    uint64        // in the rollups, of all accounts
	Accounts  uint64        // with an event in the rollups
	Lag       float64       // records whose rows are not queryable yet
	Freshness time.Duration // median since the last reading; negative = nothing to measure
}

// Reader reads the figures.
type Reader struct {
	conn     driver.Conn
	registry prometheus.Gatherer
	seen     []uint64 // the freshness histogram's buckets at the last reading
}

// NewReader reads from ClickHouse and from the pipeline's metrics.
func NewReader(conn driver.Conn, registry prometheus.Gatherer) *Reader {
	return &Reader{conn: conn, registry: registry}
}

// Read reads the figures.
func (r *Reader) Read(ctx context.Context) (Figures, error) {
	var f Figures
	err := r.conn.QueryRow(ctx, `
SELECT sum(v), uniqExact(account_id) FROM
(SELECT account_id, max(value) AS v FROM counters WHERE tier = 'day' AND metric = 'events' AND NOT startsWith(account_id, '_')
 GROUP BY account_id, window_start, source)`).Scan(&f.Events, &f.Accounts)
	if err != nil {
		return f, fmt.Errorf("read live figures: %w", err)
	}
	families, err := r.registry.Gather()
	if err != nil {
		return f, fmt.Errorf("read metrics: %w", err)
	}
	f.Freshness = -1
	for _, family := range families {
		switch family.GetName() {
		case "tidemark_source_lag_records":
			for _, m := range family.GetMetric() {
				f.Lag += m.GetGauge().GetValue()
			}
		case "tidemark_freshness_seconds":
			f.Freshness = r.median(family.GetMetric()[0].GetHistogram())
		}
	}
	return f, nil
}

// median returns the median of what the histogram has counted since the last call, interpolated within its bucket.
func (r *Reader) median(h *dto.Histogram) time.Duration {
	now := make([]uint64, len(h.GetBucket()))
	for i, b := range h.GetBucket() {
		now[i] = b.GetCumulativeCount()
	}
	was := r.seen
	r.seen = now
	if was == nil {
		was = make([]uint64, len(now))
	}
	count := func(i int) float64 { return float64(now[i] - was[i]) }
	total := count(len(now) - 1)
	if total == 0 {
		return -1
	}
	lower, below := 0.0, 0.0
	for i, b := range h.GetBucket() {
		if c := count(i); c >= total/2 {
			upper := b.GetUpperBound()
			seconds := lower + (upper-lower)*(total/2-below)/math.Max(c-below, 1)
			return time.Duration(seconds * float64(time.Second))
		}
		lower, below = b.GetUpperBound(), count(i)
	}
	return -1
}
