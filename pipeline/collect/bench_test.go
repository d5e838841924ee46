package collect

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// BenchmarkCollect sends requests of 1 and 100 events over kept connections,
// to a broker that answers at once and to one that takes 10 ms.
func BenchmarkCollect(b *testing.B) {
	for _, size := range []int{1, 100} {
		for _, ack := range []time.Duration{0, 10 * time.Millisecond} {
			b.Run(fmt.Sprintf("events=%d/ack=%s", size, ack), func(b *testing.B) { benchmarkCollect(b, size, ack) })
		}
	}
}

func benchmarkCollect(b *testing.B, size int, ack time.Duration) {
	cluster := startKafka(b)
	slowDown(cluster, ack)
	c := start(b, testConfig(cluster))
	keepAlive := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1000}}
	defer keepAlive.CloseIdleConnections()
	var messages []string
	for i := range size {
		messages = append(messages, fmt.Sprintf(`{"type":"track","event":"Report Started","userId":"u%d","context":{"groupId":"a%d","library":{"name":"bench"}},"properties":{"feature":"reports","duration_ms":120}}`, i, i))
	}
	body := `{"sentAt":"2026-01-01T00:00:00Z","batch":[` + strings.Join(messages, ",") + `]}`
	b.SetParallelism(64)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			answer, err := keepAlive.Post("http://"+c.Addr()+"/v1/batch", "application/json", strings.NewReader(body))
			require.NoError(b, err)
			_, _ = io.Copy(io.Discard, answer.Body)
			require.NoError(b, answer.Body.Close())
			require.Equal(b, http.StatusOK, answer.StatusCode)
		}
	})
	b.StopTimer()
	b.ReportMetric(float64(b.N*size)/b.Elapsed().Seconds(), "events/s")
}

func slowDown(cluster *kfake.Cluster, ack time.Duration) {
	if ack == 0 {
		return
	}
	cluster.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		cluster.SleepControl(func() { <-time.After(ack) })
		return nil, nil, false
	})
}
