package views

import (
	"strings"

	"tidemark/schemas"
)

const fromKeyFeatures branch = "keyfeatures"

// engagement are the views of the engagement score (metrics.md row 23).
func (b *builder) engagement() ([]view, error) {
	slices := b.rollingSlices()
	slices[0].From = 1 // full days only
	r, err := b.engagementOf(slices)
	if err != nil {
		return nil, err
	}
	v, err := r.view("engagement_14d", "Engagement of each account over 14 full days (UTC), up to the end of every day but the present one (metrics.md row 23). Absolute: what it uses of what it could. "+
		"Relative: its place among the accounts of the same segment and stage, as Totango does it; so a condition on account_id alone reads all accounts.")
	if err != nil {
		return nil, err
	}
	v.sliced = func(of []slice, columns []string) (string, error) {
		full := append([]slice{}, of...)
		for i := range full {
			full[i].From = max(full[i].From, 1)
		}
		return r.sliced(full, columns)
	}
	return b.withSegment(v, 14*day, []segmentColumn{sumOver("actions"), sumOver("active_users"), medianOver("actions_per_day"), medianOver("engagement")})
}

func (b *builder) engagementOf(slices []slice) (rolling, error) {
	events, active, uses, err := b.usageMetrics()
	if err != nil {
		return rolling{}, err
	}
	const days, u, f = 14, "UInt64", "Nullable(Float64)"
	r := rolling{
		builder: b, Days: days, Keys: []string{"account_id"}, Topic: b.Topics.Telemetry.Name, Dimension: true,
		Slices: slices, rows: []string{"rows_spine", "rows_counters", "rows_members", "rows_key_features"}, Uses: uses,
	}
	r.Measures = []rollingMeasure{
		shown(column{"actions", u, "events", "Events of the window: what users did."}, fromCounters, "max(value)", summed, days),
		shown(column{"active_users", u, "users", "Distinct active users of the window."}, fromMembers, "sum(delta)", running, days),
		shown(column{"days_known", u, "days", "Days of the window on which the account was known: 14, or fewer if it is new."}, "spine", "1", summed, days),
	}
	r.Measures[0].Name, r.Measures[1].Name = events, active
	for i := range b.keyFeatureLists() {
		r.Helpers = append(r.Helpers, helper("key_features_"+itoa(int64(i)), fromKeyFeatures, "sumIf(delta, metric = '"+itoa(int64(i))+"')", running, days, ""))
	}
	const group = "PARTITION BY h.segment, h.stage, w.window_start"
	r.Extra = []extra{
		{column{"actions_per_day", f, "events", "actions divided by days_known; NULL where that is 0."}, "if(w.days_known > 0, w.actions / w.days_known, NULL)"},
		{column{"licence_share", f, "ratio", "active_users divided by the seats as of the window's end, 1 at most; NULL if those are unknown."}, "if(h.seats > 0, least(1, w.active_users / h.seats), NULL)"},
		{column{"feature_share", f, "ratio", "Key features with a use, divided by those that the account is entitled to, 1 at most; NULL if no key feature is known."},
			"if(length(" + b.keyFeatures("h.segment", "h.plan") + ") > 0, least(1, " + b.keyFeaturesUsed() + " / length(" + b.keyFeatures("h.segment", "h.plan") + ")), NULL)"},
		{column{"engagement", f, "points", "Absolute engagement, 0 to 100: 50 times licence_share plus 50 times feature_share; NULL if either is unknown."},
			"50 * licence_share + 50 * feature_share"},
		{column{"peers", u, "accounts", "Accounts of the same segment and stage as of the window's end, this one included."}, "count() OVER (" + group + ")"},
		{column{"engagement_relative", f, "percent", "Relative engagement, 0 to 100: which share of the other peers has fewer actions_per_day; 0 below 1 action a day, NULL without another peer."},
			"multiIf(ifNull(actions_per_day, 0) < 1, 0, peers > 1, 100 * (toFloat64(rank() OVER (" + group + " ORDER BY ifNull(w.actions / nullIf(w.days_known, 0), 0))) - 1) / (peers - 1), NULL)"},
	}
	return r, nil
}

// keyFeatureLists are the different lists of key features, the default first.
func (b *builder) keyFeatureLists() [][]string {
	lists := [][]string{b.cat.Targets.KeyFeatures}
	seen := map[string]bool{stringArray(lists[0]): true}
	for _, name := range sorted(b.cat.Targets.Segments) {
		if l := b.cat.TargetOf(name).KeyFeatures; !seen[stringArray(l)] {
			seen[stringArray(l)] = true
			lists = append(lists, l)
		}
	}
	return lists
}

// keyFeaturesUsed is the SQL of how many key features of an account's segment were used.
func (b *builder) keyFeaturesUsed() string {
	lists := b.keyFeatureLists()
	return b.bySegment("h.segment", func(t schemas.Target) string {
		for i, l := range lists {
			if stringArray(l) == stringArray(t.KeyFeatures) {
				return "w.key_features_" + itoa(int64(i))
			}
		}
		return "0"
	})
}

// KeyFeatureLists is the SQL of the lists that a feature is in, by number.
func (b *builder) KeyFeatureLists() string {
	var in []string
	for i, l := range b.keyFeatureLists() {
		in = append(in, "if(has("+stringArray(l)+", feature), '"+itoa(int64(i))+"', '')")
	}
	return "arrayFilter(l -> l != '', [" + strings.Join(in, ", ") + "])"
}
