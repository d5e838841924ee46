package views

import (
	"fmt"

	"tidemark/schemas"
)

// segments is the data of the template segment_usage.sql.
type segments struct {
	*builder
	Of      string // the usage view of accounts that is added up
	Seconds int64
	Sums    []string
	Derived []schemas.Metric
}

// segments are usage per segment. Users belong to one account, so the distinct users of a segment are the sum of those
// of its accounts.
func (b *builder) segments() ([]view, error) {
	var sums []string
	types := map[string]string{}
	var shown []schemas.Metric // a metric that can't be added up over accounts is left out
	for _, m := range b.cat.Metrics {
		if m.View != "usage" || m.Aggregate == schemas.FeaturesUsed {
			continue
		}
		shown = append(shown, m)
		switch m.Aggregate {
		case schemas.Derived:
			continue
		case schemas.Sessions:
			types[m.Column] = "Nullable(UInt64)"
		case schemas.SessionSeconds, schemas.ActiveSeconds:
			types[m.Column] = "Nullable(Float64)"
		default:
			types[m.Column] = "UInt64"
		}
		sums = append(sums, m.Column)
	}
	var out []view
	for _, of := range []struct {
		name    string
		seconds int64
		what    string
	}{{"day", day, "by the day (UTC)"}, {"28d", 28 * day, "over 28 days (UTC), up to the end of every day"}} {
		query, err := b.render("segment_usage", segments{b, of.name, of.seconds, sums, b.derived("usage")})
		if err != nil {
			return nil, err
		}
		columns := append(windowColumns("segment"),
			column{"accounts", "UInt64", "accounts", "Accounts of the segment as of the window's end."},
			column{"active_accounts", "UInt64", "accounts", "Of those, accounts with an active user."},
		)
		columns = append(columns, metricColumnsOf(shown, types)...)
		out = append(out, view{
			Name:    "segment_usage_" + of.name,
			Comment: fmt.Sprintf("Usage of each segment %s: sums over its accounts, silent ones included. Users are counted once an account.", of.what),
			Columns: append(columns,
				column{"events_median", "Float64", "events", "Median over accounts of events."},
				column{"active_users_median", "Float64", "users", "Median over accounts of active_users (metrics.md row 39)."},
				column{"seats", "Nullable(UInt64)", "seats", "Licensed seats of the accounts for which they are known; NULL if for none."},
				column{"seat_utilization", "Nullable(Float64)", "ratio", "Active users divided by seats, over the accounts whose seats are known (metrics.md row 8)."},
				column{"mrr", "Nullable(Float64)", "currency", "Monthly recurring revenue of the accounts for which it is known; NULL if for none."},
				complete,
			),
			Query: query,
		})
	}
	return out, nil
}
