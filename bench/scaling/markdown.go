package scaling

import (
	"fmt"
	"strings"

	"tidemark/bench/figures"
)

// examples are the rates that are worked out.
var examples = []float64{10_000, 1_000_000, 10_000_000}

// Markdown is the model with its figures, and the worked examples.
func Markdown(r figures.Report) (string, error) {
	c, err := FromReport(r)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	out.WriteString("| cost | measured | by |\n|---|---|---|\n")
	for _, row := range []struct{ what, value, by string }{
		{"events a second of a core of the pipeline", figures.Short(1 / c.Pipeline), "the higher of throughput and freshness: " + figures.Short(c.Pipeline*1e6) + " CPU µs an event"},
		{"events a second of a core of ClickHouse", figures.Short(1 / c.ClickHouse), "throughput: " + figures.Short(c.ClickHouse*1e6) + " CPU µs an event, merges included"},
		{"events a second of a core of Kafka", figures.Short(1 / c.Kafka), "throughput, reading once"},
		{"bytes an event from Kafka", figures.Short(c.Fetched), "throughput, lz4"},
		{"bytes an event to ClickHouse", figures.Short(c.Inserted), "throughput, not compressed; between machines the client compresses with lz4"},
		{"bytes of an account's day", figures.Short(c.AccountDay), "soak, all tables, merged; " + figures.Short(c.DayEvents) + " events, " + figures.Short(c.Disk) + " B an event"},
		{"parts a second that one process makes", figures.Short(c.Parts), "freshness, flushing every " + FlushInterval.String()},
		{"parts a second that were merged away", figures.Short(c.Sustained), "soak, on a part of two cores: taken for what one core bears"},
	} {
		fmt.Fprintf(&out, "| %s | %s | %s |\n", row.what, row.value, row.by)
	}
	plans := make([]Plan, len(examples))
	for i, rate := range examples {
		plans[i] = c.Plan(rate)
	}
	out.WriteString("\n| events a second |")
	for _, p := range plans {
		fmt.Fprintf(&out, " %s |", thousands(p.Rate))
	}
	out.WriteString("\n|---|" + strings.Repeat("---|", len(plans)) + "\n")
	row := func(what string, value func(Plan) string) {
		out.WriteString("| " + what + " |")
		for _, p := range plans {
			out.WriteString(" " + value(p) + " |")
		}
		out.WriteString("\n")
	}
	row("partitions of telemetry, over all shards", func(p Plan) string { return thousands(float64(p.Partitions)) })
	row(fmt.Sprintf("pipeline: busy cores; processes of %d cores, half busy, over all shards", replicaCores), func(p Plan) string {
		return fmt.Sprintf("%s; %s", figures.Short(p.Cores), thousands(float64(p.Replicas)))
	})
	row(fmt.Sprintf("ClickHouse: busy cores; shards of %d cores, half busy", shardCores), func(p Plan) string {
		return fmt.Sprintf("%s; %s", figures.Short(p.ServerCores), thousands(float64(p.Shards)))
	})
	row("`pipeline.flush_interval`", func(p Plan) string { return p.FlushInterval.String() })
	row("new parts a second on a shard", func(p Plan) string { return figures.Short(p.Parts) })
	row("Kafka: busy cores for this reading", func(p Plan) string { return figures.Short(p.KafkaCores) })
	row("network from Kafka", func(p Plan) string { return bytesOf(p.FromKafka) + "/s" })
	row("network to ClickHouse, not compressed", func(p Plan) string { return bytesOf(p.ToClickHouse) + "/s" })
	row("disk of ClickHouse a day", func(p Plan) string { return bytesOf(p.DiskDay) })
	row("accounts as busy as those of the soak", func(p Plan) string { return thousands(p.Accounts) })
	return out.String(), nil
}

func thousands(v float64) string {
	switch {
	case v >= 1e6:
		return figures.Short(v/1e6) + " M"
	case v >= 1e4:
		return figures.Short(v/1e3) + " k"
	}
	return figures.Short(float64(int(v + 0.5)))
}

func bytesOf(v float64) string {
	for _, unit := range []string{"B", "kB", "MB", "GB"} {
		if v < 1000 {
			return figures.Short(v) + " " + unit
		}
		v /= 1000
	}
	return figures.Short(v) + " TB"
}
