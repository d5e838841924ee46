package scaling_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tidemark/bench/figures"
	"tidemark/bench/scaling"
)

// costs are round numbers: a core of the pipeline does 500 000 events a second, one of ClickHouse a million.
var costs = scaling.Costs{
	Pipeline: 2e-6, ClickHouse: 1e-6, Kafka: 5e-7, Fetched: 80, Inserted: 50, Disk: 10, AccountDay: 30_000, DayEvents: 3000, Parts: 20, Sustained: 10,
}

func TestPlan(t *testing.T) {
	small := costs.Plan(10_000)
	require.Equal(t, 2, small.Replicas, "two, so that one may fail")
	require.Equal(t, 1, small.Shards)
	require.Equal(t, 16, small.Partitions, "two a core")
	require.Equal(t, scaling.FlushInterval, small.FlushInterval)
	require.InDelta(t, 40, small.Parts, 1e-9)

	// 20 busy cores are 10 processes of 4 half-busy ones on ten busy cores of ClickHouse, which are two servers of 16 half busy.
	large := costs.Plan(10_000_000)
	require.InDelta(t, 20, large.Cores, 1e-9)
	require.Equal(t, 2, large.Shards)
	require.Equal(t, 10, large.Replicas)
	require.Equal(t, 2*64, large.Partitions)
	require.InDelta(t, 100, large.Parts, 1e-9, "of five processes on each server")
	require.InDelta(t, 800e6, large.FromKafka, 1)
	require.InDelta(t, 288e6, large.Accounts, 1)
}

// More parts than a server was seen to bear are made fewer by flushing less often.
func TestPlanFlushesLessOften(t *testing.T) {
	c := costs
	c.Parts = 100
	p := c.Plan(10_000_000)
	require.Equal(t, 2*time.Second, p.FlushInterval, "500 parts a second, where 160 are borne")
	require.LessOrEqual(t, p.Parts, 160.0)
}

func TestEveryCostIsMeasured(t *testing.T) {
	_, err := scaling.FromReport(figures.Report{})
	require.ErrorContains(t, err, "make bench ARGS=throughput")
}
