//go:build faults

package faults_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/internal/devclickhouse"
)

// flood is one kind of input that would fill the memory, or the disk, of a pipeline that keeps what it should not.
type flood struct {
	name   string
	events int
	event  func(i int) (account, user int, feature string, at time.Time)
	bytes  int // that ClickHouse may keep for an event once its parts are merged
}

// TestMemoryAndDiskAreBounded floods a real pipeline with the worst that senders can send. It may not take more memory than
// its bounds say, nothing may be lost, and what is kept on disk is so many bytes an event, and not more with every flush.
//
//tidemark:proves "more windows, users or features come than memory may hold": 1 5
func TestMemoryAndDiskAreBounded(t *testing.T) {
	now := time.Now().Truncate(time.Minute).Add(-time.Hour)
	floods := []flood{
		{"a million new accounts at once", 1_000_000, func(i int) (int, int, string, time.Time) { return i, i, "export", now }, 500},
		{"an account with a million users", 1_000_000, func(i int) (int, int, string, time.Time) {
			return -1, i, "export", now.Add(-time.Duration(i/20_000) * time.Minute)
		}, 200},
		{"a hundred thousand features", 200_000, func(i int) (int, int, string, time.Time) {
			return -2, i % 50, fmt.Sprintf("feature %d", i%100_000), now
		}, 200},
		{"events over two years", 300_000, func(i int) (int, int, string, time.Time) {
			return -3 - i%100, i % 1000, "export", now.Add(-time.Duration(i) * 210 * time.Second)
		}, 800},
	}
	engine := startEngine(t)
	s := newStage(t, startKafka(t).Addrs(), engine.database(), 9)
	// As in a container of 1.5 GB.
	p := s.pipeline("a", "TIDEMARK_PIPELINE_MAX_CELLS=200000", "TIDEMARK_CLICKHOUSE_READ_TIMEOUT=1m", "TIDEMARK_PIPELINE_MAX_FEATURES=1000", "TIDEMARK_PIPELINE_FLUSH_ROWS=200000", "GOMEMLIMIT=1GiB")
	s.Patience = 10 * time.Minute
	before := s.disk()
	for _, f := range floods {
		s.flood(f)
		s.Settle(s.ctx, p)
		s.merged()
		after := s.disk()
		perEvent := (after.bytes - before.bytes) / uint64(f.events)
		t.Logf("%s: %d events, %d MB of memory at most so far, %d bytes on disk an event, %d rows an event, %d parts",
			f.name, f.events, p.Peak(t)>>20, perEvent, (after.rows-before.rows)/uint64(f.events), after.parts)
		require.Less(t, perEvent, uint64(f.bytes), f.name)
		before = after
		s.figures.faults++
		s.figures.records += uint64(f.events)
	}
	require.Less(t, p.Peak(t), int64(1500)<<20, "bytes; a container of 1.5 GB would have killed it")
	for _, f := range floods { // day rows, whatever was evicted and loaded meanwhile
		var prefixes []string
		seen := map[string]bool{}
		for i := range f.events {
			account, _, _, _ := f.event(i)
			if account < 0 && !seen[fmt.Sprint(account)] {
				seen[fmt.Sprint(account)] = true
				prefixes = append(prefixes, fmt.Sprintf("'a%d'", account))
			}
		}
		where := "account_id NOT LIKE 'a-%'"
		if len(prefixes) > 0 {
			where = "account_id IN (" + strings.Join(prefixes, ", ") + ")"
		}
		require.Equal(t, uint64(f.events), s.count("SELECT toUInt64(sum(value)) FROM (SELECT max(value) AS value FROM counters WHERE tier = 'day' AND metric = 'events' AND feature = '' AND "+
			where+" GROUP BY account_id, window_start, source)"), f.name)
	}
	require.Equal(t, uint64(1001), s.count("SELECT uniqExact(feature) FROM counters WHERE tier = 'day' AND account_id = 'a-2' AND metric = 'feature_uses'"))
	require.Equal(t, uint64(1_000_000), s.count("SELECT uniqExact(member) FROM members WHERE tier = 'day' AND account_id = 'a-1' AND metric = 'active_users'"))
	p.Terminate(t)
	s.figures.addToTotal()
	t.Log(s.figures)
}

// flood puts the events on the topic.
func (s *stage) flood(f flood) {
	s.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(s.Brokers...), kgo.DefaultProduceTopic("telemetry"), kgo.ProducerBatchCompression(kgo.Lz4Compression()))
	require.NoError(s.t, err)
	defer client.Close()
	received := time.Now().UTC().Format(time.RFC3339)
	for i := range f.events {
		account, user, feature, at := f.event(i)
		value := fmt.Sprintf(`{"type":"track","event":"Feature Used","messageId":"%s-%d","userId":"u%d","context":{"groupId":"a%d"},"properties":{"feature":%q},"timestamp":%q,"receivedAt":%q}`,
			f.name, i, user, account, feature, at.UTC().Format(time.RFC3339), received)
		client.Produce(s.ctx, &kgo.Record{Key: []byte(fmt.Sprint("a", account)), Value: []byte(value)}, func(_ *kgo.Record, err error) {
			if err != nil {
				s.t.Errorf("produce: %v", err)
			}
		})
	}
	require.NoError(s.t, client.Flush(s.ctx))
}

// usage is what tables take on disk.
type usage struct{ bytes, rows, parts uint64 }

func (s *stage) disk() (u usage) {
	s.t.Helper()
	require.NoError(s.t, s.DB.Open(s.t, devclickhouse.Migrator).QueryRow(s.ctx,
		"SELECT sum(bytes_on_disk), sum(rows), count() FROM system.parts WHERE active AND database = currentDatabase()").Scan(&u.bytes, &u.rows, &u.parts))
	return u
}

// merged waits for merges to end, so that what is measured does not depend on how far they have come.
func (s *stage) merged() {
	s.t.Helper()
	for _, table := range []string{"counters_all", "member_sets_all", "user_minutes_all"} {
		require.NoError(s.t, s.DB.Open(s.t, devclickhouse.Migrator).Exec(s.ctx, "OPTIMIZE TABLE "+table+" FINAL"))
	}
}

func (s *stage) count(query string) (n uint64) {
	s.t.Helper()
	require.NoError(s.t, s.DB.Open(s.t, devclickhouse.Migrator).QueryRow(s.ctx, query).Scan(&n))
	return n
}
