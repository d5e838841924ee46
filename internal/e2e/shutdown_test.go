package e2e

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tidemark/internal/devclickhouse"
	"tidemark/internal/devkafka"
)

// grace is how long a process that is told to end is left before it is killed: the shortest that the Helm chart and the compose file have.
const grace = 30 * time.Second

// endsInTime asks the process to end, and requires that it does in order and before it would be killed.
func (p *Process) endsInTime(t *testing.T) {
	t.Helper()
	began := time.Now()
	p.Terminate(t)
	took := time.Since(began)
	t.Logf("%s took %s to end", p.Name, took.Round(time.Millisecond))
	require.Less(t, took, grace, "%s would have been killed", p.Name)
}

// TestEndingAtFullLoad tells a collector and a pipeline that have all that they can do to end. Both do so within the grace period; what clients
// were told is accepted is in ClickHouse, once, and nothing else is lost either.
func TestEndingAtFullLoad(t *testing.T) {
	broker, err := devkafka.Start(t.Context(), devkafka.Options{NoSync: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, broker.Close()) })
	s := newStage(t, broker.Addrs())
	g := NewTraffic(s.Brokers, 3)
	t.Cleanup(func() { require.NoError(t, g.Close()) })
	require.NoError(t, g.Send(t.Context(), 20_000)) // which the pipeline has to catch up with
	collector, address := s.collector()
	pipeline := s.Pipeline(Binary(t, ""), "a")

	ctx, stop := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	var accepted, sent atomic.Int64
	var traffic error
	for n := range 4 {
		clients.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				sent.Add(1)
				if track(ctx, address, fmt.Sprintf("%d-%d", n, i)) {
					accepted.Add(1)
				} else if i--; ctx.Err() == nil { // it has not begun, or has ended
					<-time.After(10 * time.Millisecond)
				}
			}
		})
	}
	clients.Go(func() {
		for ctx.Err() == nil && traffic == nil {
			traffic = g.Send(t.Context(), 500) // to its end: what is cut short may be written later, while it is recounted
		}
	})
	require.Eventually(t, func() bool {
		commits, err := s.Admin.FetchOffsets(t.Context(), s.Group)
		return err == nil && len(commits) > 0 && accepted.Load() > 200
	}, 5*time.Minute, 20*time.Millisecond, "no load")
	pipeline.endsInTime(t)
	collector.endsInTime(t)
	stop()
	clients.Wait()
	require.NoError(t, traffic)

	pipeline = s.Pipeline(Binary(t, ""), "a")
	s.Settle(t.Context(), pipeline)
	s.Verify(t.Context())
	var counted uint64
	require.NoError(t, s.DB.Open(t, devclickhouse.Reader).QueryRow(t.Context(), "SELECT sum(events) FROM usage_day WHERE account_id = 'shutdown'").Scan(&counted))
	require.GreaterOrEqual(t, int64(counted), accepted.Load(), "events that clients were told are accepted")
	require.LessOrEqual(t, int64(counted), sent.Load())
	pipeline.endsInTime(t)
}

// track sends one event, and reports whether the collector has accepted it.
func track(ctx context.Context, address, id string) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address+"/v1/track",
		strings.NewReader(fmt.Sprintf(`{"event":"Report Viewed","messageId":%q,"userId":"u","context":{"groupId":"shutdown"}}`, id)))
	if err != nil {
		return false
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// TestLivesWithoutKafkaAndClickHouse starts a pipeline before either is there: it lives, is not ready, shows nobody its memory, and ends when
// it is told to.
func TestLivesWithoutKafkaAndClickHouse(t *testing.T) {
	pipeline := Start(t, Binary(t, ""), "alone", []string{
		"TIDEMARK_KAFKA_BROKERS=127.0.0.1:1", "TIDEMARK_CLICKHOUSE_ADDR=127.0.0.1:1", "TIDEMARK_ADMIN_LISTEN=127.0.0.1:0", "TIDEMARK_LOG_FORMAT=json",
	}, "run")
	admin := "http://" + pipeline.Says(t, `"admin":"([^"]+)"`)
	pipeline.Says(t, "ClickHouse does not answer yet")
	require.Equal(t, http.StatusOK, status(t, admin+"/livez"))
	require.Equal(t, http.StatusServiceUnavailable, status(t, admin+"/readyz"))
	require.Equal(t, http.StatusNotFound, status(t, admin+"/debug/pprof/heap"))
	pipeline.endsInTime(t)
}

func status(t *testing.T, url string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return resp.StatusCode
}
