package faults_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/internal/devclickhouse"
	"tidemark/internal/devclickhouse/chtest"
	"tidemark/internal/e2e"
	"tidemark/internal/faults"
	"tidemark/internal/realkafka/kafkatest"
	"tidemark/internal/sdktest"
	"tidemark/pipeline/source"
	"tidemark/schemas/client"
)

const (
	soakKey = "soak"
	// soakPatience bounds how long an SDK that was turned away again and again waits, and what is behind it catches up.
	soakPatience = 5 * time.Minute
)

// TestSDKsUnderKills is a short TestSoak.
//
//tidemark:proves "collector, broker and pipeline are killed in turn": 1 3 4 5
func TestSDKsUnderKills(t *testing.T) { soak(t, 10*time.Second, 15) }

// soak has SDKs in three languages send while collector, broker and pipeline are killed in turn. What the SDKs were told was accepted is then what
// ClickHouse has counted, message by message: each has an account of its own, named after it. The accounts of some are known later.
func soak(t *testing.T, lasts time.Duration, perSecond int) {
	cluster := kafkatest.Start(t)
	s := newStage(t, cluster.Brokers(), chtest.Shared(t), 1)
	s.Patience = soakPatience
	pipeline, collector := s.pipeline("a"), s.collector()
	front, err := faults.TCP(collector.listen)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, front.Close()) })
	senders := map[string]func(url string, ids []string, perSecond int){"node": s.fromSDK(sdktest.SendNode), "python": s.fromSDK(sdktest.SendPython), "go": s.fromGo}
	var accepted []string
	var sending sync.WaitGroup
	began := time.Now()
	for name, send := range senders {
		var ids []string
		for i := range int(lasts.Seconds()) * perSecond {
			ids = append(ids, fmt.Sprintf("%s-%05d", name, i))
		}
		accepted = append(accepted, ids...)
		sending.Go(func() { send("http://"+front.Addr(), ids, perSecond) })
	}
	defer sending.Wait()

	random := rand.New(rand.NewPCG(1, 1))
	pause := func() { <-time.After(300*time.Millisecond + time.Duration(random.IntN(1700))*time.Millisecond) }
	victims := []func(){
		func() { collector.Kill(); pause(); collector = s.collector(); front.Lead(collector.listen) },
		func() { require.NoError(t, cluster.Kill(1)); pause(); require.NoError(t, cluster.Restart(s.ctx, 1)) },
		func() { pipeline.Kill(); pause(); pipeline = s.pipeline("a") },
	}
	for i := 0; i < len(victims) || time.Since(began) < lasts; i++ {
		pause()
		collector.Running(t)
		pipeline.Running(t)
		victims[i%len(victims)]()
		s.figures.kills++
	}
	sending.Wait()
	if t.Failed() {
		return // a sender has said why
	}
	s.released(pipeline, collector.Process)
	s.end(pipeline)
	s.counted(accepted)
	collector.Terminate(t)
}

// collecting is a collector's process and where it listens.
type collecting struct {
	*e2e.Process
	listen string
}

func (s *stage) collector() collecting {
	s.t.Helper()
	p := e2e.Start(s.t, s.binary, "collector", slices.Concat(s.Env, []string{
		"TIDEMARK_KAFKA_BROKERS=" + s.kafka.Addr(), "TIDEMARK_COLLECTOR_LISTEN=127.0.0.1:0", "TIDEMARK_COLLECTOR_WRITE_KEYS=" + soakKey,
	}), "collect")
	return collecting{p, p.Says(s.t, `collector started.*"listen": ?"([^"]+)"`)}
}

// late says of which messages the account is known after they were sent.
func late(i int) bool { return i%10 == 0 }

// fromSDK sends a message of each id, and requires that the SDK was told that all of them were accepted.
func (s *stage) fromSDK(send func(testing.TB, string, string, sdktest.Plan) sdktest.Result) func(url string, ids []string, perSecond int) {
	require.Empty(s.t, send(s.t, "http://127.0.0.1:1", soakKey, sdktest.Plan{Calls: []sdktest.Call{}}).Failed) // installs the SDK
	return func(url string, ids []string, perSecond int) {
		plan := sdktest.Plan{PerSecond: perSecond}
		for i, id := range ids {
			call := sdktest.Call{Type: "track", MessageID: id, UserID: "u-" + id, Event: "Used", Properties: map[string]any{"feature": "soak"}}
			if late(i) {
				plan.Calls = append(plan.Calls, call, sdktest.Call{Type: "group", MessageID: "g-" + id, UserID: "u-" + id, GroupID: id})
				continue
			}
			call.Context = map[string]any{"groupId": id}
			plan.Calls = append(plan.Calls, call)
		}
		result := send(s.t, url, soakKey, plan)
		require.Equal(s.t, sdktest.Result{Sent: len(plan.Calls), Failed: []string{}}, result)
	}
}

// fromGo is fromSDK with Tidemark's own client.
func (s *stage) fromGo(url string, ids []string, perSecond int) {
	emitter, err := client.Open(client.Options{Transport: client.HTTP(url, soakKey), Dir: s.t.TempDir(), MaxBackoff: 5 * time.Second, MaxWait: soakPatience})
	require.NoError(s.t, err)
	tick := time.NewTicker(time.Second / time.Duration(perSecond))
	defer tick.Stop()
	for i, id := range ids {
		<-tick.C
		who := client.Who{UserID: "u-" + id, MessageID: id}
		if !late(i) {
			who.AccountID = id
		}
		require.NoError(s.t, emitter.Send(s.ctx, client.Track{Who: who, Event: "Used", Properties: map[string]any{"feature": "soak"}}))
		if late(i) {
			require.NoError(s.t, emitter.Send(s.ctx, client.Group{Who: client.Who{UserID: "u-" + id, MessageID: "g-" + id, AccountID: id}}))
		}
	}
	ctx, cancel := context.WithTimeout(s.ctx, soakPatience)
	defer cancel()
	left, err := emitter.Close(ctx)
	require.NoError(s.t, err)
	require.Zero(s.t, left)
	require.Zero(s.t, emitter.Stats().Dropped)
}

// released waits until no event waits for its account any more: the last of each that was parked is a tombstone.
func (s *stage) released(alive ...*e2e.Process) {
	s.t.Helper()
	require.Eventually(s.t, func() bool {
		for _, p := range alive {
			p.Running(s.t)
		}
		return len(s.waiting()) == 0
	}, soakPatience, 500*time.Millisecond, "events wait for their accounts, which are known")
}

// waiting returns the keys of parked events that have no tombstone.
func (s *stage) waiting() map[string]bool {
	ends, err := s.Admin.ListCommittedOffsets(s.ctx, "parked")
	require.NoError(s.t, err)
	waiting := map[string]bool{}
	for _, end := range ends.Offsets().Sorted() {
		of := source.ID{Topic: end.Topic, Partition: end.Partition}
		require.NoError(s.t, of.ReadRange(s.ctx, []kgo.Opt{kgo.SeedBrokers(s.Brokers...)}, 0, uint64(end.At), func(r *kgo.Record) {
			if r.Value == nil {
				delete(waiting, string(r.Key))
			} else {
				waiting[string(r.Key)] = true
			}
		}))
	}
	return waiting
}

// counted requires that each message was counted, and no message twice.
func (s *stage) counted(accepted []string) {
	s.t.Helper()
	rows, err := s.DB.Open(s.t, devclickhouse.Reader).Query(s.ctx, "SELECT account_id, sum(events) FROM usage_day GROUP BY account_id")
	require.NoError(s.t, err)
	defer rows.Close() //nolint:errcheck // it was read
	got := map[string]uint64{}
	for rows.Next() {
		var account string
		var events uint64
		require.NoError(s.t, rows.Scan(&account, &events))
		got[account] = events
	}
	require.NoError(s.t, rows.Err())
	var wrong []string
	for _, id := range accepted {
		if got[id] != 1 {
			wrong = append(wrong, fmt.Sprintf("%s: counted %d times", id, got[id]))
		}
		delete(got, id)
	}
	require.Empty(s.t, wrong)
	require.Empty(s.t, got, "accounts of which nobody sent anything")
	s.t.Logf("%d messages accepted, each counted once", len(accepted))
}
