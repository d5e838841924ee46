package views

// deliveries are the views of what targets were told of alerts. Tidemark's process for triggers writes what they read.
func (b *builder) deliveries() ([]view, error) {
	const at = "DateTime64(3, 'UTC')"
	all := []view{
		{
			Name:    "alert_deliveries",
			Comment: "Where the delivery of each transition of an alert to each of its targets stands, a row a transition and target; those that wait are among them.",
			Columns: []column{
				{"target", "LowCardinality(String)", "", "Name of the target, as the rule has it."},
				{"id", "String", "", "Id of the transition, as in alert_history."},
				{"message_id", "String", "", "Message that it goes or went out in, which is the webhook-id; empty until that is decided."},
				{"alert_id", "String", "", "Alert."},
				{"seq", "UInt32", "", "Number of the transition within the alert."},
				{"kind", "LowCardinality(String)", "", "fired, level, amended, retracted or resolved."},
				{"rule", "LowCardinality(String)", "", "Rule that fired."},
				{"account_id", "String", "", "Account that the alert is about."},
				{"severity", "LowCardinality(String)", "", "Severity of the rule."},
				{"at", at, "", "Instant that was judged, in event time."},
				{"known_at", at, "", "When Tidemark knew."},
				{"outcome", "LowCardinality(String)", "", "waiting, quiet (until the end of quiet hours), pending (sent, and to be sent again), delivered, dead (given up), skipped (the end of an alert of which nothing reached the target) or dropped (by a person)."},
				{"attempts", "UInt16", "attempts", "Attempts that were made."},
				{"changed_at", "Nullable(" + at + ")", "", "When it came to stand so; NULL while it waits."},
				{"next_at", "Nullable(" + at + ")", "", "When the next attempt is due; NULL if none is."},
				{"status", "UInt16", "", "HTTP or SMTP status of the last attempt; 0 if there was no answer."},
				{"detail", "String", "", "What was wrong."},
			},
		},
		{
			Name:    "alert_targets",
			Comment: "How each target of alerts fares, a row a target that a rule has named.",
			Columns: []column{
				{"target", "LowCardinality(String)", "", "Name of the target."},
				{"waiting", "UInt64", "transitions", "Transitions that were not delivered yet, those that wait for the end of quiet hours excepted."},
				{"oldest_waiting_at", "Nullable(" + at + ")", "", "Since when the oldest of them was known; NULL if none waits."},
				{"delivered", "UInt64", "transitions", "Transitions that were delivered."},
				{"last_delivered_at", "Nullable(" + at + ")", "", "When the last one was; NULL if none was."},
				{"dead", "UInt64", "transitions", "Transitions that were given up and can be redriven."},
				{"is_disabled", "Bool", "", "Whether it said that it is gone; it is asked no more while it is configured with the same address."},
				{"disabled_reason", "String", "", "What it said."},
			},
		},
	}
	return b.rendered(all, b)
}
