package triggers

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	sink "tidemark/sinks/clickhouse"
	"tidemark/sinks/clickhouse/views"
)

func moment(t time.Time) string { return fmt.Sprintf("toDateTime(%d, 'UTC')", t.Unix()) }

// panes reads sums or distinct counts over panes of one tier: all windows and metrics in one pass over the accounts' rows.
func (r *Reader) panes(ctx context.Context, generation uint16, into *readings, accounts []string, how way, tier string, ws []want) error {
	var from, to time.Time
	metrics := map[string]bool{}
	sums := make([]string, len(ws))
	for i, w := range ws {
		start, end := r.window(w)
		if from.IsZero() || start.Before(from) {
			from = start
		}
		if end.After(to) {
			to = end
		}
		in := r.inputs[w.input]
		metrics[views.Quote(in.metric)] = true
		condition := fmt.Sprintf("metric = %s AND window_start >= %s AND window_start < %s", views.Quote(in.metric), moment(start), moment(end))
		if how == byMembers {
			sums[i] = "uniqExactArrayIf(members, " + condition + ")"
		} else {
			sums[i] = "sumIf(value, " + condition + ")"
		}
	}
	names := make([]string, 0, len(metrics))
	for m := range metrics {
		names = append(names, m)
	}
	// By account first: the index only knows whole granules, of a hundred accounts each.
	where := fmt.Sprintf("PREWHERE account_id IN {accounts:Array(String)} WHERE generation = %d AND tier = '%s' AND feature = '' AND metric IN (%s) AND window_start >= %s AND window_start < %s",
		generation, tier, strings.Join(names, ", "), moment(from), moment(to))
	rows := "SELECT account_id, window_start, metric, max(value) AS value FROM counters_all " + where + " GROUP BY account_id, window_start, metric, source"
	if how == byMembers {
		rows = "SELECT account_id, window_start, metric, members FROM member_sets_all " + where
	}
	query := "SELECT account_id, [" + strings.Join(sums, ", ") + "] FROM (" + rows + ") GROUP BY account_id"
	return r.numbers(ctx, query, into, accounts, ws)
}

// tickets counts the tickets of accounts to which something happened in a window.
func (r *Reader) tickets(ctx context.Context, into *readings, accounts []string, ws []want) error {
	counts := make([]string, len(ws))
	for i, w := range ws {
		start, end := r.window(w)
		counts[i] = fmt.Sprintf("countIf(arrayExists(t -> t >= %d AND t < %d, %s))", start.UnixMilli(), end.UnixMilli(), ticketMoment[r.inputs[w.input].Column])
	}
	query := "SELECT account_id, [" + strings.Join(counts, ", ") + "] FROM (" + r.lives + ") GROUP BY account_id"
	return r.numbers(ctx, query, into, accounts, ws)
}

// numbers reads a query of an account and its numbers, one for each of ws. An account without a row has zeros.
func (r *Reader) numbers(ctx context.Context, query string, into *readings, accounts []string, ws []want) error {
	silent := map[string]bool{}
	for _, a := range accounts {
		silent[a] = true
	}
	err := sink.Each(r.client.LoadContext(ctx), r.client.Conn(), query, func(rows driver.Rows) error {
		var account string
		var found []uint64
		if err := rows.Scan(&account, &found); err != nil {
			return err
		}
		numbers := make([]float64, len(ws))
		for i, v := range found {
			numbers[i] = float64(v)
			into.number(ws[i], into.index[account], numbers[i])
		}
		into.memory.note(account, ws, numbers)
		delete(silent, account)
		return nil
	}, named("accounts", accounts))
	if err != nil {
		return err
	}
	for a := range silent {
		into.memory.note(a, ws, make([]float64, len(ws)))
	}
	return nil
}

// Since is when every account was first heard of.
func (r *Reader) Since(ctx context.Context, generation uint16) (map[string]time.Time, error) {
	query := fmt.Sprintf("SELECT account_id, CAST(min(since) AS DateTime64(3, 'UTC')) FROM known_accounts_all WHERE generation = %d AND NOT startsWith(account_id, '_') GROUP BY account_id", generation)
	out := map[string]time.Time{}
	err := sink.Each(r.client.LoadContext(ctx), r.client.Conn(), query, func(rows driver.Rows) error {
		var account string
		var since time.Time
		err := rows.Scan(&account, &since)
		out[account] = since
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read since when accounts are known: %w", err)
	}
	return out, nil
}
