package views_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tidemark/sinks/clickhouse/views"
)

const plans = `
targets:
  key_features: [export, import, alerts]
  key_feature_users: 2
  segments:
    ent: {key_features: [export], key_feature_users: 1}
segments:
  - {name: ent, description: Big ones., where: {seats: {min: 100}}}
entitlements:
  free: {features: [export, search]}
`

// metrics.md rows 8, 19 and 20: seats by feature, breadth and depth of adoption, popularity among those who may use it.
func TestAdoption(t *testing.T) {
	f := newFixture(t)
	require.NoError(t, views.Apply(t.Context(), f.db, catalogue(t, plans), f.options()))
	f.insert(t, "account_changes",
		"('free', '2026-02-01 00:00:00', 'accounts/0@A', 1, 0, {'plan': 'free', 'segment': 'smb', 'seats': '4'})",
		"('pro', '2026-02-01 00:00:00', 'accounts/0@A', 2, 0, {'plan': 'pro', 'segment': 'smb'})",
		"('big', '2026-02-01 00:00:00', 'accounts/0@A', 3, 0, {'plan': 'pro', 'segment': 'smb', 'seats': '100'})",
		"('silent', '2026-02-01 00:00:00', 'accounts/0@A', 4, 0, {})")
	use := func(account, feature string, uses string, users ...string) {
		f.insert(t, "counters", "('day', '"+account+"', '2026-03-07', '"+feature+"', 'feature_uses', 'telemetry/0@T', "+uses+", 10)")
		for _, u := range users {
			f.insert(t, "member_sets", "('day', '"+account+"', '2026-03-07', '"+feature+"', 'feature_users', "+u+", 'telemetry/0@T')")
		}
	}
	use("free", "export", "9", "1", "2", "3")
	use("free", "alerts", "4", "1", "2") // not in its plan
	use("free", "search", "1", "1")      // no key feature
	use("pro", "export", "5", "1", "2")
	use("pro", "import", "7", "1") // one user is not enough
	use("big", "export", "3", "1")
	// free is entitled to one of the three, and uses it: 9 uses by 3. pro: one of three, 12 uses by 3. big: its segment has one.
	require.Equal(t, golden(`
		big    | 1 | 1 | 1                  | 3  | ent
		free   | 1 | 1 | 1                  | 3  | smb
		pro    | 3 | 1 | 0.3333333333333333 | 4  | smb
		silent | 3 | 0 | 0                  | \N | \N
	`), f.rows(t, "SELECT account_id, key_features_entitled, key_features_adopted, breadth, depth, segment FROM adoption_28d WHERE window_end = '2026-03-11' ORDER BY account_id"))
	require.Equal(t, golden(`free | 1 | 0 | 0 | \N`),
		f.rows(t, "SELECT account_id, key_features_entitled, key_features_adopted, breadth, depth FROM adoption_28d WHERE window_end = '2026-03-07' AND account_id = 'free'"))
	require.Equal(t, golden(`
		    | 1 | 0 | 3 | 0                  | \N
		ent | 1 | 1 | 1 | 1                  | 3
		smb | 2 | 2 | 4 | 0.6666666666666667 | 3.5
	`), f.rows(t, "SELECT segment, accounts, key_features_adopted, key_features_entitled, breadth_median, depth_median FROM segment_adoption_28d WHERE window_end = '2026-03-11' ORDER BY segment"))
	// Row 8 by feature: of 4 seats three used export. Row 19: nine uses by three users.
	require.Equal(t, golden(`
		alerts | 2 | 2 | 0.5
		export | 3 | 3 | 0.75
		search | 1 | 1 | 0.25
	`), f.rows(t, "SELECT feature, users, uses_per_user, seat_utilization FROM features_28d WHERE account_id = 'free' AND window_end = '2026-03-11' ORDER BY feature"))
	// Row 20: alerts is used by free, whose plan has it not, and by none of the three whose plan may.
	require.Equal(t, golden(`
		alerts | 1 | 4 | 0.25 | 3 | 0
		export | 3 | 4 | 0.75 | 4 | 0.75
		import | 1 | 4 | 0.25 | 3 | 0.3333333333333333
		search | 1 | 4 | 0.25 | 4 | 0.25
	`), f.rows(t, "SELECT feature, accounts_using, accounts_known, share, accounts_entitled, share_of_entitled FROM feature_popularity_28d WHERE window_end = '2026-03-11' ORDER BY feature"))
}
