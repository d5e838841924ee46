//go:build faults

package faults_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"

	"tidemark/internal/devclickhouse"
	"tidemark/internal/devclickhouse/chtest"
	"tidemark/internal/e2e"
	"tidemark/internal/realkafka/kafkatest"
	"tidemark/internal/recount"
)

// committed is what the group has committed: offsets by topic and partition.
func (s *stage) committed() map[string]map[int32]int64 {
	s.t.Helper()
	all, err := s.Admin.FetchOffsets(s.ctx, "tidemark")
	require.NoError(s.t, err)
	at := map[string]map[int32]int64{}
	all.Each(func(o kadm.OffsetResponse) {
		if at[o.Topic] == nil {
			at[o.Topic] = map[int32]int64{}
		}
		at[o.Topic][o.Partition] = o.At
	})
	return at
}

// ready asks the process whether it is ready.
func (s *stage) ready(p *e2e.Process) string {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.Says(s.t, `"admin":"([^"]+)"`)+"/readyz", nil)
	require.NoError(s.t, err)
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	require.NoError(s.t, err)
	defer resp.Body.Close() //nolint:errcheck // only read
	body, err := io.ReadAll(resp.Body)
	require.NoError(s.t, err)
	return string(body)
}

// TestBrokerWithoutTheTopic starts a pipeline before its topics are there: it says what is missing, and goes on by itself
// once they are.
//
//tidemark:proves "the topics are not there": 1 5
func TestBrokerWithoutTheTopic(t *testing.T) {
	s := newStage(t, kafkatest.Start(t).Brokers(), chtest.Shared(t), 8)
	gone, err := s.Admin.DeleteTopics(s.ctx, "telemetry", "tickets")
	require.NoError(t, err)
	require.NoError(t, gone.Error())
	p := s.pipeline("a")
	const complaint = "topics telemetry, tickets do not exist: create them with tidemark migrate"
	p.Says(t, complaint)
	require.Contains(t, s.ready(p), complaint)
	s.figures.faults++
	s.Migrate()
	s.send(2000)
	s.end(p)
}

// others waits until all partitions but telemetry/0 are committed to their ends, and requires that their rows are what a
// recount says. Of that one the log lacks what ClickHouse has.
func (s *stage) others(alive ...*e2e.Process) {
	s.t.Helper()
	left := s.Source(s.ctx, "telemetry", 0)
	require.Eventually(s.t, func() bool {
		for _, p := range alive {
			p.Running(s.t)
		}
		ends, err := s.Admin.ListCommittedOffsets(s.ctx, "telemetry", "tickets", "accounts")
		require.NoError(s.t, err)
		at, behind := s.committed(), false
		ends.Each(func(end kadm.ListedOffset) {
			behind = behind || (end.Topic != "telemetry" || end.Partition != 0) && at[end.Topic][end.Partition] < end.Offset
		})
		return !behind
	}, patience, 100*time.Millisecond, "the others do not go on")
	want, err := recount.Count(s.ctx, s.Log())
	require.NoError(s.t, err)
	diffs, err := recount.Compare(s.ctx, s.DB.Open(s.t, devclickhouse.Reader), want)
	require.NoError(s.t, err)
	for _, d := range diffs {
		require.Equal(s.t, left, d.Source, d.String())
	}
	s.figures.rows = want.Rows()
	s.figures.records = 0
	for source, v := range want.Sources {
		if source != left {
			s.figures.records += v.Received
		}
	}
}

// TestExpiredOffset deletes records that were not read yet: their partition stops and says what to do, the others go on, and
// doing what it says is enough.
//
//tidemark:proves "the log was deleted beyond the commit": 1 3 4 5
func TestExpiredOffset(t *testing.T) {
	s := newStage(t, kafkatest.Start(t).Brokers(), chtest.Shared(t), 9)
	p := s.pipeline("a")
	s.send(3000)
	s.recounted(p)
	p.Terminate(t)
	s.send(3000)
	ends, err := s.Admin.ListEndOffsets(s.ctx, "telemetry")
	require.NoError(t, err)
	end, _ := ends.Lookup("telemetry", 0)
	at := s.committed()["telemetry"][0]
	require.Less(t, at, end.Offset-10)
	offsets := kadm.Offsets{}
	offsets.AddOffset("telemetry", 0, end.Offset-10, -1)
	deleted, err := s.Admin.DeleteRecords(s.ctx, offsets)
	require.NoError(t, err)
	require.NoError(t, deleted.Error())
	s.figures.faults++

	p = s.pipeline("a")
	p.Says(t, `the source has stopped and needs a person.*"topic":"telemetry","partition":0.*is outside the log.*setting the group's offset to`)
	require.Eventually(t, func() bool { return strings.HasPrefix(s.ready(p), "stopped: ") }, patience, 50*time.Millisecond)
	s.others(p)
	require.Equal(t, at, s.committed()["telemetry"][0], "a stopped partition is left where it was")
	p.Terminate(t)

	require.Eventually(t, func() bool { // as the message says; while the group waits for its member to come back, Kafka refuses
		return s.Admin.CommitAllOffsets(s.ctx, "tidemark", offsets) == nil
	}, patience, 100*time.Millisecond)
	p = s.pipeline("a")
	s.Settle(s.ctx, p)
	require.Equal(t, "ok\n", s.ready(p))
	s.others(p)
	p.Terminate(t)
	s.figures.addToTotal()
	t.Log(s.figures)
}
