package backtest

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"tidemark/schemas/rules"
)

// Run plays a rule over what ClickHouse has of a range, with those that inhibit it.
func Run(ctx context.Context, conn driver.Conn, all []*rules.Rule, name string, r Range, horizon time.Duration) (Report, error) {
	picked := withInhibitors(all, name)
	h, err := ReadHistory(ctx, conn, picked, r)
	if err != nil {
		return Report{}, fmt.Errorf("back-test %s: %w", name, err)
	}
	out := Report{Rule: name, Range: r, Horizon: horizon, Accounts: len(h.Accounts), Hindsight: h.Hindsight, Lost: map[string]time.Time{}}
	for _, id := range h.Accounts {
		if err := ctx.Err(); err != nil {
			return out, err
		}
		played, err := Play(picked, h.Account(id), r.From, r.To)
		if err != nil {
			return out, fmt.Errorf("back-test %s on %s: %w", name, id, err)
		}
		out.Episodes = append(out.Episodes, Episodes(id, name, played.Told)...)
		if at := h.Lost(id); !at.IsZero() {
			out.Lost[id] = at
		}
	}
	out.Score = Judge(out.Episodes, h.Accounts, h.Lost, r, horizon)
	return out, nil
}

// withInhibitors are a rule and those that keep it from firing, however indirectly.
func withInhibitors(all []*rules.Rule, name string) []*rules.Rule {
	wanted := map[string]bool{name: true}
	for range all {
		for _, r := range all {
			if wanted[r.Name] {
				for _, by := range r.InhibitedBy {
					wanted[by] = true
				}
			}
		}
	}
	var out []*rules.Rule
	for _, r := range all {
		if wanted[r.Name] {
			out = append(out, r)
		}
	}
	return out
}
