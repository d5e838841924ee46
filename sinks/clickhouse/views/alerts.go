package views

// alerts are the views of what the rules have fired. Tidemark's process for triggers writes what they read.
func (b *builder) alerts() ([]view, error) {
	const at = "DateTime64(3, 'UTC')"
	of := []column{
		{"alert_id", "String", "", "Id of the alert: a function of rule, account and episode."},
		{"rule", "LowCardinality(String)", "", "Rule that fired."},
		{"account_id", "String", "", "Account that the alert is about."},
		{"episode", "UInt64", "", "How many times the rule had fired for the account by then."},
		{"severity", "LowCardinality(String)", "", "Severity of the rule."},
		{"playbook", "LowCardinality(String)", "", "What to do, as the rule says."},
		{"owner", "LowCardinality(String)", "", "Who does it, as the rule says."},
	}
	now := []column{
		{"level", "UInt16", "levels", "Levels of the ladder that were reached; 0 without a ladder."},
		{"value", "Nullable(Float64)", "", "Value when it was last told; NULL if the rule shows none."},
		{"fired_at", at, "", "Instant that was judged when it fired, in event time."},
		{"fired_known_at", at, "", "When it was fired."},
		{"changed_at", at, "", "When it last changed: another level, or amended by late events."},
		{"is_final", "Bool", "", "Whether the window that was last judged was complete."},
		{"evidence", "String", "", "What was delivered last: JSON with value, threshold, trend, contributions, watermark and offsets."},
	}
	history := []column{
		{"id", "String", "", "Id of the transition, which is that of its delivery."},
		{"seq", "UInt32", "", "Number of the transition within the alert, from 1."},
		{"kind", "LowCardinality(String)", "", "fired, level, amended, retracted or resolved."},
		{"level", "UInt16", "levels", "Levels of the ladder that were reached; 0 without a ladder."},
		{"value", "Nullable(Float64)", "", "Value that the rule shows; NULL if it shows none or it is unknown."},
		{"at", at, "", "Instant that was judged, in event time."},
		{"known_at", at, "", "When Tidemark knew."},
		{"is_final", "Bool", "", "Whether the window that was judged was complete."},
		{"targets", "Array(LowCardinality(String))", "", "Where it was to be delivered."},
		{"evidence", "String", "", "What was to be delivered, as JSON."},
	}
	all := []view{
		{Name: "alerts", Comment: "Alerts that are firing now, a row each (metrics.md rows 10, 11 and 29).", Columns: join(of, now)},
		{Name: "alert_history", Comment: "What became of each alert, a row a transition: fired, reached another level, amended or retracted by late events, resolved.", Columns: join(of, history)},
		{Name: "alert_silences", Comment: "Silences: rules and accounts for which nothing new is fired meanwhile.", Columns: []column{
			{"id", "String", "", "Id of the silence."},
			{"rule", "String", "", "Rule that is silenced; empty: every rule."},
			{"account_id", "String", "", "Account that is silenced; empty: every account."},
			{"starts_at", at, "", "From when on."},
			{"ends_at", at, "", "Until when."},
			{"is_active", "Bool", "", "Whether it holds now."},
			{"reason", "String", "", "Why."},
			{"created_by", "String", "", "By whom."},
		}},
	}
	return b.rendered(all, b)
}
