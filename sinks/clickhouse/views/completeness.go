package views

import "time"

func (b *builder) completeness() ([]view, error) {
	query, err := b.render("completeness", b)
	if err != nil {
		return nil, err
	}
	return []view{{
		Name:    "completeness",
		Comment: "Up to which event time each topic is complete. Idle sources hold nothing back: one that is read to its end and has been silent is complete up to a few minutes before it was last looked at.",
		Columns: []column{
			{"topic", "String", "", "Kafka topic."},
			{"complete_to", "DateTime64(3, 'UTC')", "", "Windows that end by then are complete, but for events that come later than the configured disorder; those still count."},
			{"sources", "UInt64", "partitions", "Partitions of the topic that were read."},
			{"idle_sources", "UInt64", "partitions", "Of those, read to their end and silent."},
			{"lag_records", "UInt64", "records", "Records that are in Kafka but not yet in ClickHouse."},
			{"observed_at", "DateTime64(3, 'UTC')", "", "When the source that was looked at longest ago was looked at."},
		},
		Query: query,
	}}, nil
}

// IdleSeconds is the SQL of how long ago, before a source was observed, a silent source is complete.
func (b *builder) IdleSeconds(topic string) string {
	seconds := func(t Topic) string { return itoa(int64((t.Disorder + idleAfter) / time.Second)) }
	return "multiIf(" + topic + " = " + Quote(b.Topics.Telemetry.Name) + ", " + seconds(b.Topics.Telemetry) + ", " +
		topic + " = " + Quote(b.Topics.Tickets.Name) + ", " + seconds(b.Topics.Tickets) + ", " +
		topic + " = " + Quote(b.Topics.Signals.Name) + ", " + seconds(b.Topics.Signals) + ", " + itoa(int64(idleAfter/time.Second)) + ")"
}
