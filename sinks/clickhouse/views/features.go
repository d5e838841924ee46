package views

import (
	"fmt"

	"tidemark/schemas"
)

func (b *builder) features() ([]view, error) {
	measures, err := b.measures("features")
	if err != nil {
		return nil, err
	}
	types := map[string]string{}
	for _, m := range measures {
		types[m.Column] = m.Type
	}
	var out []view
	bySegment := append(sumsOver(measures), ratiosOver(b.derived("features"))...)
	for _, t := range b.tiers() {
		views, err := b.inTier(t, tiered{"features", []string{"account_id", "feature"}, "Use of each feature by each account, by the %s (UTC). A feature without use has no row.", measures, types, bySegment})
		if err != nil {
			return nil, err
		}
		out = append(out, views...)
	}
	for _, days := range featureDays {
		v, err := b.rollingFeaturesOf(days, measures, types, b.rollingSlices())
		if err != nil {
			return nil, err
		}
		both, err := b.withSegment(v, days*day, bySegment)
		if err != nil {
			return nil, err
		}
		out = append(out, both...)
	}
	return out, nil
}

func (b *builder) rollingFeaturesOf(days int64, measures []measure, types map[string]string, slices []slice) (view, error) {
	r := rolling{
		builder: b, Days: days, Keys: []string{"account_id", "feature"}, Topic: b.Topics.Telemetry.Name,
		Slices: slices, rows: []string{"features_rolling_rows"}, Derived: b.derived("features"),
	}
	r.Dimension = true
	r.Extra = []extra{{column{"seat_utilization", "Nullable(Float64)", "ratio", "users divided by the seats as of the window's end: licences that are used for the feature (metrics.md row 8); NULL if the seats are unknown."},
		"if(h.seats > 0, w.users / h.seats, NULL)"}}
	for _, m := range measures {
		rm := rollingMeasure{measure: m, Kind: summed, Days: days}
		if m.Aggregate == schemas.Distinct {
			rm.Kind, rm.Part = running, "sumIf(delta, metric = "+Quote(m.Name)+")"
		}
		r.Measures = append(r.Measures, rm)
	}
	query, err := b.render("rolling", r)
	if err != nil {
		return view{}, err
	}
	return view{
		Name:    fmt.Sprintf("features_%dd", days),
		Comment: fmt.Sprintf("Use of each feature by each account over %d days (UTC), up to the end of every day. A feature without use in the window has no row.", days),
		Columns: append(append(append(append(windowColumns("account_id", "feature"), r.Extra[0].column), b.metricColumns("features", types)...), complete), dimension()...),
		Query:   query,
	}, nil
}

func (b *builder) popularity() ([]view, error) {
	query, err := b.render("feature_popularity", windows{builder: b, Tier: b.tiers()[2]})
	if err != nil {
		return nil, err
	}
	return []view{{
		Name:    "feature_popularity_28d",
		Comment: "How many accounts used each feature in the 28 days up to the end of every day (metrics.md row 20).",
		Columns: append(windowColumns("feature"),
			column{"accounts_using", "UInt64", "accounts", "Accounts with at least one use."},
			column{"accounts_known", "UInt64", "accounts", "Accounts that were known at the end of the window, silent ones included; 0 before the horizon of usage_day."},
			column{"share", "Nullable(Float64)", "ratio", "accounts_using divided by accounts_known."},
			column{"accounts_entitled", "UInt64", "accounts", "Of accounts_known, those whose plan includes the feature, by the catalogue's entitlements; a plan that is not declared there includes all."},
			column{"share_of_entitled", "Nullable(Float64)", "ratio", "Entitled accounts that use the feature, divided by accounts_entitled (metrics.md row 20)."},
			column{"uses", "UInt64", "uses", "Uses by all accounts."},
			column{"users", "UInt64", "users", "Distinct users of all accounts; one who is in two accounts counts twice."},
		),
		Query: query,
	}}, nil
}

// EntitledTo is the SQL of whether a plan includes a feature, for the templates.
func (b *builder) EntitledTo(feature, plan string) string { return b.entitled(feature, plan) }
