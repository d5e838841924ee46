package views

// membership is the view of who belonged to which segment, and from when to when (metrics.md row 32).
func (b *builder) membership() ([]view, error) {
	const at = "DateTime64(3, 'UTC')"
	stays, err := b.simple("segment_memberships", "Which account belonged to which segment, and from when to when: one row a stay (metrics.md row 32). A segment is the first of the catalogue whose predicate holds, else what the account's record says.", []column{
		{"account_id", "String", "", "Account."},
		{"segment", "String", "", "Segment; empty if none was known."},
		{"entered_at", at, "", "When the account entered it."},
		{"left_at", "Nullable(" + at + ")", "", "When it left it, exclusive; NULL if it is still there."},
		{"days", "Float64", "days", "Length of the stay, up to now if it goes on."},
		{"came_from", "Nullable(String)", "", "Segment before; NULL if the account was not known before."},
		{"went_to", "Nullable(String)", "", "Segment after; NULL if it is still there or was removed."},
	}, "segment_memberships", b)
	if err != nil {
		return nil, err
	}
	changes, err := b.simple("segment_changes_month", "How many accounts entered and left each segment, by the month (UTC), as far as it has gone (metrics.md row 32).", []column{
		{"segment", "String", "", "Segment; empty if none was known."},
		{"window_start", "DateTime('UTC')", "", "Start of the month."},
		{"window_end", "DateTime('UTC')", "", "End of the month, exclusive."},
		{"entered", "UInt64", "accounts", "Times that an account entered it."},
		{"left", "UInt64", "accounts", "Times that an account left it."},
	}, "segment_changes_month", b)
	return []view{stays, changes}, err
}

// metricTests is the view of which metrics tell successful customers from others (metrics.md row 37).
func (b *builder) metricTests() ([]view, error) {
	const f = "Nullable(Float64)"
	v, err := b.simple("discriminating_metrics", "How well each metric of the portfolio tells the accounts with a label from the others, now (metrics.md row 37): labels are stages, segments, and whatever stands in the attribute successful. "+
		"Association, not cause; with few accounts it says little.", []column{
		{"label", "LowCardinality(String)", "", "Attribute that labels accounts: stage, segment or successful."},
		{"value", "String", "", "Its value; accounts without the attribute are left out."},
		{"metric", "LowCardinality(String)", "", "Column of the portfolio."},
		{"accounts_labelled", "UInt64", "accounts", "Accounts with the value for which the metric is known."},
		{"accounts_others", "UInt64", "accounts", "Accounts with another value for which it is known."},
		{"mean_labelled", f, "", "Mean of the metric over the labelled accounts, in the metric's unit."},
		{"mean_others", f, "", "The same over the others."},
		{"effect_size", f, "standard deviations", "Cohen's d: the difference of the means divided by the pooled standard deviation; NULL with fewer than two accounts on a side, or without any variance."},
		{"auc", f, "ratio", "Probability that a labelled account has more than another one, ties counted half: 0.5 tells nothing, 1 and 0 tell all. NULL without accounts on both sides."},
	}, "discriminating_metrics", b)
	return []view{v}, err
}

// TestedMetrics are the columns of the portfolio that are tested.
func (b *builder) TestedMetrics() []string {
	return []string{"events_28d", "active_users_28d", "seat_utilization", "active_days_28d", "active_days_per_user_28d", "adoption_breadth", "adoption_depth",
		"actions_per_day_14d", "engagement", "events_7d_trend", "variation_28d", "tickets_open", "tickets_opened_28d", "escalations_30d", "onboarding_progress"}
}
