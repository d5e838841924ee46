package views

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/stretchr/testify/require"

	"tidemark/internal/devclickhouse"
	"tidemark/internal/devclickhouse/chtest"
	"tidemark/schemas"
)

// scored is an account of a test: what the views say of it, and how its profile scores that.
type scored struct {
	inputs  map[string]string // SQL by view.column; what is not here is NULL
	score   string            // rounded to three places
	band    string
	unknown string
}

// TestPresetsFollowTheirArithmetic answers metrics.md row 31: each vendor's published rules, on numbers chosen by hand.
func TestPresetsFollowTheirArithmetic(t *testing.T) {
	for profile, accounts := range map[string][]scored{
		// Good if all are good, poor if one is, else average: 100, 40, 60.
		"totango-banded": {
			{map[string]string{"usage_14d.active_days": "8", "usage_14d.active_minutes": "420", "usage_14d.active_users_trend": "-0.1", "usage_14d.seat_utilization": "0.7", "engagement_14d.engagement_relative": "50"}, "100", "good", ""},
			{map[string]string{"usage_14d.active_days": "14", "usage_14d.active_minutes": "419", "usage_14d.active_users_trend": "1", "usage_14d.seat_utilization": "0.7", "engagement_14d.engagement_relative": "100"}, "60", "average", ""},
			{map[string]string{"usage_14d.active_days": "2", "usage_14d.active_minutes": "420", "usage_14d.active_users_trend": "0", "usage_14d.seat_utilization": "0.9", "engagement_14d.engagement_relative": "80"}, "40", "poor", ""},
			{map[string]string{"usage_14d.active_days": "2", "usage_14d.active_minutes": "0", "usage_14d.active_users_trend": "0", "usage_14d.seat_utilization": "0.5", "engagement_14d.engagement_relative": "19.9"}, "40", "poor", ""},
			{map[string]string{"usage_14d.active_days": "9", "usage_14d.active_minutes": "500", "usage_14d.active_users_trend": "0", "engagement_14d.engagement_relative": "80"}, "100", "good", "licence_utilization"}, // not a valued attribute
			{nil, "\\N", "", "usage_frequency, time_spent, active_users, licence_utilization, engagement"},
		},
		// 0, 5 and 10, averaged in their group, weighted 60 to 40: product (10+5+0)/3 = 5, support (10+0)/2 = 5: 5 of 10.
		"vitally-weighted": {
			{map[string]string{"usage_28d.seat_utilization": "0.6", "usage_28d.active_days": "4", "usage_28d.stickiness": "0.05", "support_28d.escalated": "0", "support_28d.backlog": "6"}, "50", "average", ""},
			// product 10, support (5+5)/2 = 5: (10*60 + 5*40) / 100 = 8 of 10
			{map[string]string{"usage_28d.seat_utilization": "1", "usage_28d.active_days": "28", "usage_28d.stickiness": "0.5", "support_28d.escalated": "1", "support_28d.backlog": "3"}, "80", "good", ""},
			// nulls are left out: product (10+5)/2 = 7.5 and no support at all
			{map[string]string{"usage_28d.seat_utilization": "0.6", "usage_28d.active_days": "11"}, "75", "good", "stickiness, escalations, backlog"},
		},
		// Points add up to 100; the top of a range belongs to it; support is the mean of its children times 30.
		"churnzero-points": {
			{map[string]string{"usage_30d.seat_utilization": "0.75", "usage_30d.logins": "20", "usage_30d.features_used": "4", "support_30d.escalated": "0", "support_30d.backlog": "5"},
				"57.5", "average", ""}, // 20 + 5 + 10 + 30 * (1 + 0.5) / 2
			{map[string]string{"usage_30d.seat_utilization": "0.76", "usage_30d.logins": "101", "usage_30d.features_used": "5", "support_30d.escalated": "0", "support_30d.backlog": "0"}, "100", "good", ""},
			{map[string]string{"usage_30d.seat_utilization": "0", "usage_30d.logins": "0", "usage_30d.features_used": "1", "support_30d.escalated": "1", "support_30d.backlog": "6"}, "0", "poor", ""},
			{map[string]string{"usage_30d.logins": "0", "usage_30d.features_used": "1", "support_30d.escalated": "1", "support_30d.backlog": "6"}, "\\N", "", "licences_used"},
		},
		// Half depth, at 50, 35, 20 and 10 % of the users, half breadth; up to 50 red, up to 75 yellow.
		"gainsight-dear": {
			{map[string]string{"frequency_28d.users_regular": "5", "usage_28d.seats": "10", "adoption_28d.breadth": "0.5"}, "75", "average", ""},
			{map[string]string{"frequency_28d.users_regular": "5", "usage_28d.seats": "10", "adoption_28d.breadth": "0.52"}, "76", "good", ""},
			{map[string]string{"frequency_28d.users_regular": "35", "usage_28d.seats": "100", "adoption_28d.breadth": "0.25"}, "50", "poor", ""},
			{map[string]string{"frequency_28d.users_regular": "9", "usage_28d.seats": "100", "adoption_28d.breadth": "1"}, "50", "poor", ""},
			{map[string]string{"frequency_28d.users_regular": "9", "usage_28d.seats": "0", "adoption_28d.breadth": "1"}, "\\N", "", "depth"}, // a quotient by zero is unknown
		},
		// A third each: (0.6 + 0.5 + 10/20) / 3.
		"pendo-bdf": {
			{map[string]string{"usage_30d.seat_utilization": "0.6", "adoption_28d.breadth": "0.5", "usage_30d.logins": "50", "usage_30d.users": "5"}, "53.333", "average", ""},
			{map[string]string{"usage_30d.seat_utilization": "1.4", "adoption_28d.breadth": "1", "usage_30d.logins": "500", "usage_30d.users": "5"}, "100", "good", ""},
			{map[string]string{"usage_30d.seat_utilization": "0.6", "usage_30d.logins": "50", "usage_30d.users": "5"}, "\\N", "", "depth"},
		},
	} {
		t.Run(profile, func(t *testing.T) {
			t.Parallel()
			cat, err := schemas.Builtin()
			require.NoError(t, err)
			cat.Health.Default = profile
			require.Equal(t, expected(accounts), scores(t, cat, accounts))
		})
	}
}

func expected(accounts []scored) string {
	var out strings.Builder
	for i, a := range accounts {
		fmt.Fprintf(&out, "%d %s %s %s\n", i, a.score, a.band, a.unknown)
	}
	return out.String()
}

// scores are those of the accounts, with the components' contributions adding up to them. The views that a profile reads are
// replaced by what the test says they say.
func scores(t *testing.T, cat *schemas.Catalogue, accounts []scored) string {
	t.Helper()
	b, err := newBuilder(cat, Options{Database: "none", Now: "toDateTime('2026-03-09 12:00:00', 'UTC')", Topics: DefaultTopics(), DayRetention: 400 * 24 * time.Hour})
	require.NoError(t, err)
	require.NoError(t, b.build())
	made := b.made
	b.made = nil
	for _, v := range made {
		if strings.Contains(v.Name, "health") {
			continue
		}
		v.sliced = func([]slice, []string) (string, error) { return said(v, accounts), nil }
		b.made = append(b.made, v)
	}
	of, err := b.health()
	require.NoError(t, err)
	d := chtest.Shared(t)
	opts, err := clickhouse.ParseDSN(d.DSN(devclickhouse.Reader))
	require.NoError(t, err)
	db := clickhouse.OpenDB(opts)
	defer db.Close() //nolint:errcheck // it only reads
	rows, err := db.QueryContext(t.Context(), "SELECT toUInt64(account_id), ifNull(toString(round(score, 3)), '\\\\N'), band, unknown FROM ("+of[0].Query+
		") AS h LEFT JOIN (SELECT account_id, sum(contribution) AS parts FROM ("+of[1].Query+") GROUP BY account_id) AS c ON c.account_id = h.account_id WHERE throwIf(abs(c.parts - score) > 1e-9) = 0 OR score IS NULL ORDER BY 1")
	require.NoError(t, err)
	defer rows.Close() //nolint:errcheck // rows.Err has it
	var out strings.Builder
	for rows.Next() {
		var account uint64
		var score, band, unknown string
		require.NoError(t, rows.Scan(&account, &score, &band, &unknown))
		fmt.Fprintf(&out, "%d %s %s %s\n", account, score, band, unknown)
	}
	require.NoError(t, rows.Err())
	return out.String()
}

// said is a query that says of each account what the test does, on one day, in the form of the view.
func said(v view, accounts []scored) string {
	each := make([]string, len(accounts))
	for i, a := range accounts {
		parts := []string{fmt.Sprintf("'%d' AS account_id, toDateTime('2026-03-09', 'UTC') AS window_end, true AS complete", i)}
		for _, c := range v.Columns {
			switch c.Name {
			case "account_id", "window_end", "complete":
				continue
			}
			value, ok := a.inputs[v.Name+"."+c.Name]
			if !ok {
				value = "NULL"
			}
			parts = append(parts, "CAST("+value+", 'Nullable(String)') AS "+quoteName(c.Name))
			if strings.Contains(c.Type, "Int") || strings.Contains(c.Type, "Float") {
				parts[len(parts)-1] = "CAST(" + value + ", 'Nullable(Float64)') AS " + quoteName(c.Name)
			}
		}
		each[i] = "SELECT " + strings.Join(parts, ", ")
	}
	return strings.Join(each, " UNION ALL ")
}
