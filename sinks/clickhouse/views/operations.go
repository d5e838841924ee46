package views

// Counts are the counts of a checkpoint, for the templates.
func (b *builder) Counts() []string {
	return []string{"received", "applied", "duplicate", "filtered", "dead_lettered"}
}

// operations are the views by which one sees that the numbers can be trusted.
func (b *builder) operations() ([]view, error) {
	const at = "DateTime64(3, 'UTC')"
	source := []column{
		{"topic", "String", "", "Kafka topic."},
		{"source", "String", "", "Partition: topic/partition@topic id."},
	}
	counts := func(of string) []column {
		return []column{
			{"received", "UInt64", "records", "Records " + of + "."},
			{"applied", "UInt64", "records", "Of those, counted."},
			{"duplicate", "UInt64", "records", "Of those, repeats of a message id."},
			{"filtered", "UInt64", "records", "Of those, valid ones that no metric takes."},
			{"dead_lettered", "UInt64", "records", "Of those, records that could not be read."},
			{"balanced", "Bool", "", "Whether received is the sum of the others. Anything but true is a defect."},
		}
	}
	all := []view{
		{
			Name:    "reconciliation",
			Comment: "Where every record of each source went, from its beginning to the latest checkpoint (metrics.md row 40).",
			Columns: join(source, []column{{"offset", "UInt64", "", "Next offset to read."}}, counts("of the source so far"), []column{
				{"watermark", at, "", "Event time up to which the source is thought complete."},
				{"last_record_at", at, "", "Kafka timestamp of the last record."},
				{"catalogue", "String", "", "Hash of the catalogue in use."},
			}),
		},
		{
			Name:    "reconciliation_hour",
			Comment: "Where the records of each source went, by the hour of their Kafka timestamps: differences between checkpoints, so records near the hour may count in the next.",
			Columns: join(source, []column{{"window_start", "DateTime('UTC')", "", "Start of the hour."}}, counts("of the hour")),
		},
		accounting(source),
		deadLettersByReason(), deadLettersByProducer(),
		{
			Name:    "sources",
			Comment: "How fresh each source is: what is in Kafka but not yet in ClickHouse.",
			Columns: join(source, []column{
				{"position", "UInt64", "", "Next offset to read; everything before it is in ClickHouse."},
				{"end_offset", "UInt64", "", "End of the partition when it was looked at."},
				{"lag_records", "UInt64", "records", "Records between the two."},
				{"watermark", at, "", "Event time up to which the source is thought complete."},
				{"last_record_at", "Nullable(" + at + ")", "", "Kafka timestamp of the last record that is in ClickHouse; NULL if none."},
				{"observed_at", at, "", "When the source was looked at."},
				{"lag_seconds", "Nullable(Float64)", "s", "Age of that record when the source was looked at; 0 if nothing is missing."},
				{"instance", "String", "", "Worker that owns the source."},
			}),
		},
	}
	return b.rendered(all, b)
}

func accounting(source []column) view {
	return view{
		Name: "accounting",
		Comment: "Checkpoints of the last two hours of each source that contradict each other or themselves: empty, or there is a defect. " +
			"Fewer dead letters than were counted are no contradiction: rows of old records expire at once.",
		Columns: join(source, []column{
			{"from_offset", "UInt64", "", "Offset of the checkpoint before; 0 if it is not kept."},
			{"to_offset", "UInt64", "", "Offset of the checkpoint."},
			{"violation", "String", "", "What does not add up between the two."},
			{"last_record_at", "DateTime64(3, 'UTC')", "", "Kafka timestamp of the last record up to the checkpoint."},
		}),
	}
}

func join(parts ...[]column) []column {
	var out []column
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

func deadLettersByReason() view {
	return view{
		Name:    "dead_letters_by_reason",
		Comment: "Records that could not be counted, by topic, reason and day of their Kafka timestamps.",
		Columns: []column{
			{"topic", "String", "", "Kafka topic."},
			{"reason", "LowCardinality(String)", "", "Reason code, such as malformed, no_account or too_old."},
			{"window_start", "DateTime('UTC')", "", "Start of the day."},
			{"records", "UInt64", "records", "Dead letters."},
			{"bytes", "UInt64", "bytes", "Size of their values."},
			{"last_at", "DateTime64(3, 'UTC')", "", "Kafka timestamp of the latest one."},
			{"last_source", "String", "", "Its source."},
			{"last_offset", "UInt64", "", "Its offset there."},
			{"last_detail", "String", "", "What exactly was wrong with it."},
		},
	}
}

func deadLettersByProducer() view {
	return view{
		Name:    "dead_letters_by_producer",
		Comment: "Who sends records that cannot be counted, and what is wrong with them: by topic, reason, field and producer.",
		Columns: []column{
			{"topic", "String", "", "Kafka topic."},
			{"reason", "LowCardinality(String)", "", "Reason code, such as malformed, no_account or too_old."},
			{"field", "LowCardinality(String)", "", "Field that is wrong; empty: none in particular."},
			{"producer", "LowCardinality(String)", "", "Library, source or app that the records name; empty: they name none."},
			{"accounts", "UInt64", "keys", "Keys of the records: accounts that the producer sends of."},
			{"records", "UInt64", "records", "Dead letters."},
			{"records_last_minute", "UInt64", "records", "Those whose Kafka timestamps are of the last minute."},
			{"first_at", "DateTime64(3, 'UTC')", "", "Kafka timestamp of the first one."},
			{"last_at", "DateTime64(3, 'UTC')", "", "Kafka timestamp of the latest one."},
			{"last_source", "String", "", "Its source."},
			{"last_offset", "UInt64", "", "Its offset there."},
			{"last_detail", "String", "", "What exactly was wrong with it."},
		},
	}
}
