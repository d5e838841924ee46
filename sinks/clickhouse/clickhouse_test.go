package clickhouse_test

import (
	"context"
	"testing"
	"time"

	driver "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"tidemark/internal/devclickhouse"
	"tidemark/internal/devclickhouse/chtest"
	"tidemark/sinks/clickhouse"
	"tidemark/sinks/clickhouse/migrate"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(chtest.WithShared(m)) }

// both runs the test over the native protocol and over HTTP, each on a database of its own.
func both(t *testing.T, test func(t *testing.T, ctx context.Context, c *clickhouse.Client)) {
	for _, http := range []bool{false, true} {
		name := map[bool]string{false: "native", true: "http"}[http]
		t.Run(name, func(t *testing.T) {
			db := chtest.Shared(t)
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
			defer cancel()
			options, err := driver.ParseDSN(db.DSN(devclickhouse.Migrator))
			require.NoError(t, err)
			migrator := driver.OpenDB(options)
			defer migrator.Close() //nolint:errcheck // the test is over
			require.NoError(t, migrate.Up(ctx, migrator, migrate.Options{Retention: migrate.DefaultRetention()}))

			address := db.DSN(devclickhouse.Writer)
			if http {
				address = db.HTTPURL(devclickhouse.Writer)
			}
			options, err = driver.ParseDSN(address)
			require.NoError(t, err)
			c, err := clickhouse.Open(clickhouse.Config{
				Addr: options.Addr, HTTP: http, Database: options.Auth.Database, User: options.Auth.Username, Password: options.Auth.Password,
				DialTimeout: time.Minute, ReadTimeout: 5 * time.Minute,
			})
			require.NoError(t, err)
			defer c.Close() //nolint:errcheck // the test is over
			test(t, ctx, c)
		})
	}
}

// day is a recent day, in Unix seconds: rows older than the retention would be dropped at once.
var day = time.Now().Unix()/86400*86400 - 86400

func counter(c *clickhouse.Counters, tier clickhouse.Tier, account string, start int64, feature, metric string, value, applied uint64) {
	c.Append(tier, account, start, feature, metric, "telemetry/0@x", value, applied)
}

func TestWhatIsWrittenIsLoaded(t *testing.T) {
	both(t, func(t *testing.T, ctx context.Context, c *clickhouse.Client) {
		require := require.New(t)
		var old, late clickhouse.Batch
		counter(&old.Counters, clickhouse.Day, "it's \\ \"quoted\"", day, "", "events", 3, 7)
		counter(&old.Counters, clickhouse.Minute, "acme", day+60, "", "events", 1, 5)
		counter(&old.Counters, clickhouse.Minute, "acme", day+60, "reports", "feature_uses", 1, 5)
		counter(&old.Counters, clickhouse.Minute, "acme", day-60, "", "events", 9, 4)
		counter(&late.Counters, clickhouse.Minute, "acme", day+60, "", "events", 4, 11)
		late.UserAccounts = clickhouse.UserAccounts{
			Source: []string{"telemetry/0@x", "telemetry/0@x"}, User: []uint64{1<<63 + 1, 1<<63 + 1}, Offset: []uint64{3, 9}, AccountID: []string{"a", "b"},
		}
		late.Facts = clickhouse.Facts{
			Kind: []string{"ticket"}, AccountID: []string{"acme"}, Entity: []string{"z:1"}, At: []int64{day*1000 + 1}, Name: []string{"created"},
			User: []uint64{0}, ID: []uint64{1}, Source: []string{"tickets/0@y"}, Offset: []uint64{1}, Value: []float64{0},
			Attributes: []map[string]string{{"priority": "p1"}},
		}
		for _, b := range []*clickhouse.Batch{&late, &old, &late} { // in any order and any number of times
			require.NoError(c.Write(ctx, b))
		}

		rows, err := c.OpenCounters(ctx, "telemetry/0@x", day*1000+61_000)
		require.NoError(err)
		require.ElementsMatch([]string{"events", "events", "feature_uses"}, rows.Metric.All(), "the minute before the watermark's is closed")
		rows, err = c.WindowCounters(ctx, "telemetry/0@x", []clickhouse.WindowKey{
			{AccountID: "acme", Tier: clickhouse.Minute, Start: day + 60},
			{AccountID: "it's \\ \"quoted\"", Tier: clickhouse.Day, Start: day},
			{AccountID: "nobody", Tier: clickhouse.Day, Start: day},
		})
		require.NoError(err)
		got := map[string][2]uint64{}
		for i := range rows.Value {
			got[rows.AccountID.At(i)+"/"+rows.Feature.At(i)+"/"+rows.Metric.At(i)] = [2]uint64{rows.Value[i], rows.AppliedOffset[i]}
		}
		require.Equal(map[string][2]uint64{
			"acme//events":               {4, 11},
			"acme/reports/feature_uses":  {1, 5},
			"it's \\ \"quoted\"//events": {3, 7},
		}, got)
		rows, err = c.OpenCounters(ctx, "telemetry/1@x", 0)
		require.NoError(err)
		require.Empty(rows.Value, "another source's rows are not ours")

		accounts, err := c.UserAccounts(ctx, "telemetry/0@x", []uint64{1<<63 + 1, 5}, 9)
		require.NoError(err)
		require.Equal(map[uint64]string{1<<63 + 1: "a"}, accounts, "as of the offset, not of now")
	})
}

func TestCheckpoints(t *testing.T) {
	both(t, func(t *testing.T, ctx context.Context, c *clickhouse.Client) {
		require := require.New(t)
		want := clickhouse.Checkpoint{
			Source: "telemetry/0@x", Offset: 12, Received: 12, Applied: 9, Duplicate: 1, Filtered: 1, DeadLettered: 1,
			Watermark: day*1000 + 1, MaxEventTime: day*1000 + 2, LogTime: day*1000 + 3, Catalogue: "c",
		}
		_, found, err := c.LastCheckpoint(ctx, want.Source)
		require.NoError(err)
		require.False(found)
		var p clickhouse.Checkpoints
		p.Add(want)
		require.NoError(c.WriteCheckpoints(ctx, &p))
		require.NoError(c.WriteCheckpoints(ctx, &p))
		got, found, err := c.Checkpoint(ctx, want.Source, 12)
		require.NoError(err)
		require.True(found)
		require.Equal(want, got)
		_, found, err = c.Checkpoint(ctx, want.Source, 11)
		require.NoError(err)
		require.False(found)
		last, found, err := c.LastCheckpoint(ctx, want.Source)
		require.NoError(err)
		require.True(found)
		require.EqualValues(12, last)
	})
}
