package doctor

import (
	"context"
	"fmt"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"tidemark/sinks/clickhouse"
)

// Everything is read as one who reads the views, and none of it takes a look at many rows but the accounts of sources.
const (
	selectSources = `
SELECT source, watermark, lag_records, observed_at, instance, accounts FROM sources
LEFT JOIN
(
    SELECT toString(source) AS of, uniqExact(account_id) AS accounts FROM counters WHERE tier = 'day' AND window_start >= today() - 7 GROUP BY of
) AS a ON a.of = sources.source ORDER BY source`
	selectComplete    = `SELECT topic, complete_to FROM completeness ORDER BY topic`
	selectViolations  = `SELECT source, from_offset, to_offset, violation, last_record_at FROM accounting ORDER BY last_record_at LIMIT 20`
	selectDeadLetters = `
SELECT topic, reason, records, received, first, last.1, last.2, last.3 FROM
(
    SELECT splitByChar('/', source)[1] AS topic, toString(reason) AS reason, count() AS records, min(log_time) AS first,
        argMax((toString(source), offset, detail), log_time) AS last
    FROM dead_letters WHERE log_time > now() - INTERVAL 1 HOUR GROUP BY topic, reason
) AS dead
LEFT JOIN
(
    SELECT splitByChar('/', of)[1] AS topic, toUInt64(sum(in_the_hour)) AS received FROM
    (
        SELECT toString(source) AS of, max(received) - maxIf(received, log_time <= now() - INTERVAL 1 HOUR) AS in_the_hour FROM checkpoints GROUP BY of
    ) GROUP BY topic
) AS hour USING topic
ORDER BY records DESC, topic, reason`
	selectTargets = `
SELECT toString(t.target), t.waiting, t.oldest_waiting_at, t.dead, t.is_disabled, t.disabled_reason, d.detail FROM alert_targets AS t
LEFT JOIN
(
    SELECT target, argMax(detail, changed_at) AS detail FROM alert_deliveries WHERE outcome IN ('pending', 'dead') GROUP BY target
) AS d ON d.target = t.target
ORDER BY 1`
	selectHot = `
SELECT account_id, sum(events) AS events FROM
(
    SELECT account_id, max(value) AS events FROM counters
    WHERE tier = 'minute' AND metric = 'events' AND feature = '' AND window_start > now() - 600 GROUP BY account_id, window_start, source
) GROUP BY account_id ORDER BY events DESC, account_id LIMIT 5 SETTINGS max_execution_time = 3`
)

func (f *Facts) readStore(ctx context.Context, conn driver.Conn, hot bool) {
	ctx, cancel := context.WithTimeout(ctx, serverTimeout)
	defer cancel()
	s := &Store{}
	if err := s.read(ctx, conn); err != nil {
		f.StoreError = err.Error()
		return
	}
	f.Store = s
	if hot {
		_ = clickhouse.Each(ctx, conn, selectHot, func(r driver.Rows) error { // too much to read in time: none are shown
			var h HotAccount
			err := r.Scan(&h.Account, &h.Events)
			s.Hot = append(s.Hot, h)
			return err
		})
	}
}

func (s *Store) read(ctx context.Context, conn driver.Conn) error {
	for _, q := range []question{
		{"sources", selectSources, func(r driver.Rows) error {
			var of Source
			err := r.Scan(&of.Source, &of.Watermark, &of.LagRecords, &of.ObservedAt, &of.Instance, &of.Accounts)
			s.Sources = append(s.Sources, of)
			return err
		}},
		{"completeness", selectComplete, func(r driver.Rows) error {
			var c Complete
			err := r.Scan(&c.Topic, &c.To)
			s.Complete = append(s.Complete, c)
			return err
		}},
		{"accounting", selectViolations, func(r driver.Rows) error {
			var v Violation
			err := r.Scan(&v.Source, &v.From, &v.To, &v.What, &v.At)
			s.Violations = append(s.Violations, v)
			return err
		}},
		{"dead_letters", selectDeadLetters, func(r driver.Rows) error {
			var d DeadLetters
			err := r.Scan(&d.Topic, &d.Reason, &d.Records, &d.Received, &d.First, &d.Source, &d.Offset, &d.Detail)
			s.DeadLetters = append(s.DeadLetters, d)
			return err
		}},
		{"alert_targets", selectTargets, func(r driver.Rows) error {
			var t Target
			err := r.Scan(&t.Name, &t.Waiting, &t.Oldest, &t.Dead, &t.Disabled, &t.Reason, &t.Detail)
			s.Targets = append(s.Targets, t)
			return err
		}},
	} {
		if err := clickhouse.Each(ctx, conn, q.query, q.take); err != nil {
			return fmt.Errorf("read %s: %w", q.table, err)
		}
	}
	return nil
}
