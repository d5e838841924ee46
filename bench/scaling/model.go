// Package scaling is the cost model: what traffic of a size takes of Kafka, of the pipeline and of ClickHouse, worked out from
// the benchmark's figures.
package scaling

import (
	"math"
	"time"

	"tidemark/bench/figures"
)

// What a plan leaves to chance, and of what size its machines are.
const (
	load         = 0.5 // of a core that a plan uses: the rest is for peaks, and for catching up while traffic goes on
	replicaCores = 4   // of a pipeline's process
	shardCores   = 16  // of a ClickHouse server
	// perCore is how many partitions a core of the pipeline gets, so that a process has work for all cores whichever it is given.
	perCore = 2
	// FlushInterval is pipeline.flush_interval as it is shipped.
	FlushInterval = 500 * time.Millisecond
)

// Costs are what an event takes, measured.
type Costs struct {
	Pipeline   float64 // CPU seconds an event
	ClickHouse float64
	Kafka      float64
	Fetched    float64 // bytes an event from Kafka, compressed
	Inserted   float64 // bytes an event to ClickHouse, not compressed
	Disk       float64 // bytes an event in ClickHouse, merged
	AccountDay float64 // bytes of an account's day in ClickHouse, merged
	DayEvents  float64 // events that it had
	Parts      float64 // that one process makes in a second, flushing every FlushInterval
	Sustained  float64 // parts a second that were merged away in the soak without growing in number
}

// FromReport takes the costs from the figures. Where traffic came in at a rate it costs more than a backlog does, because flushes
// are small: the higher counts.
func FromReport(r figures.Report) (c Costs, err error) {
	for _, f := range []struct {
		into        *float64
		section, id string
		scale       float64
	}{
		{&c.Pipeline, "throughput", "pipeline_cpu", 1e-6}, {&c.Pipeline, "freshness", "pipeline_cpu", 1e-6},
		{&c.ClickHouse, "throughput", "clickhouse_cpu", 1e-6}, {&c.Kafka, "throughput", "kafka_cpu", 1e-6},
		{&c.Fetched, "throughput", "kafka_bytes", 1}, {&c.Inserted, "throughput", "insert_bytes", 1},
		{&c.Disk, "soak", "event_bytes", 1}, {&c.AccountDay, "soak", "account_day_bytes", 1}, {&c.DayEvents, "soak", "account_day_events", 1},
		{&c.Parts, "freshness", "new_parts", 1}, {&c.Sustained, "soak", "new_parts", 1},
	} {
		found, err := r.Find(f.section, f.id)
		if err != nil {
			return c, err
		}
		*f.into = max(*f.into, found.Median*f.scale)
	}
	return c, nil
}

// Plan is what traffic of a rate takes.
type Plan struct {
	Rate          float64 // events a second
	Cores         float64 // of the pipeline, busy
	Replicas      int     // processes of it, over all shards
	Partitions    int     // of telemetry, over all shards
	ServerCores   float64 // of ClickHouse, busy
	Shards        int
	FlushInterval time.Duration // so that every shard gets no more parts than were sustained for each of its cores
	Parts         float64       // new parts a second on every shard
	KafkaCores    float64
	FromKafka     float64 // bytes a second
	ToClickHouse  float64
	DiskDay       float64 // bytes a day
	Accounts      float64 // of the size that was measured
}

// Plan works out what a rate takes.
func (c Costs) Plan(rate float64) Plan {
	p := Plan{
		Rate: rate, Cores: rate * c.Pipeline, ServerCores: rate * c.ClickHouse, KafkaCores: rate * c.Kafka,
		FromKafka: rate * c.Fetched, ToClickHouse: rate * c.Inserted, DiskDay: rate * c.Disk * 86400, Accounts: rate * 86400 / c.DayEvents,
	}
	p.Shards = max(int(math.Ceil(p.ServerCores/load/shardCores)), 1)
	each := max(int(math.Ceil(p.Cores/load/replicaCores/float64(p.Shards))), 2) // two, so that one may fail
	p.Replicas = each * p.Shards
	p.Partitions = p.Shards * powerOfTwo(max(each*replicaCores*perCore, 8))
	p.Parts = float64(each) * c.Parts
	p.FlushInterval = FlushInterval
	if most := c.Sustained * shardCores; p.Parts > most {
		p.FlushInterval = (time.Duration(float64(FlushInterval)*p.Parts/most) + FlushInterval - 1).Truncate(FlushInterval)
		p.Parts *= float64(FlushInterval) / float64(p.FlushInterval)
	}
	return p
}

func powerOfTwo(n int) int {
	p := 1
	for p < n {
		p *= 2
	}
	return p
}
