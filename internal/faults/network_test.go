//go:build faults

package faults_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"tidemark/internal/devclickhouse/chtest"
	"tidemark/internal/e2e"
	"tidemark/internal/faults"
	"tidemark/internal/realkafka/kafkatest"
)

// TestConnectionsCutDelayedAndHalfOpen breaks the connections of two pipelines to Kafka and to ClickHouse, for moments and
// for longer than the session.
//
//tidemark:proves "connections are cut, delayed or half open": 1 3 4 5
func TestConnectionsCutDelayedAndHalfOpen(t *testing.T) {
	random := rand.New(rand.NewPCG(seed(t), 2))
	s := newStage(t, kafkatest.Start(t).Brokers(), chtest.Shared(t), seed(t))
	kafka, store := kafkaProxy(t, s.Brokers[0]), clickhouseProxy(t, s.DB.Server.NativeAddr())
	alive := []*e2e.Process{
		s.pipeline("a"),
		s.pipeline("b", "TIDEMARK_KAFKA_BROKERS="+kafka.Addr(), "TIDEMARK_CLICKHOUSE_ADDR="+store.Addr()),
	}
	stop := s.flow()
	defer stop()
	proxies := []*faults.Proxy{s.kafka, s.store, kafka, store}
	breaks := []func(*faults.Proxy){
		(*faults.Proxy).Cut, (*faults.Proxy).Refuse, (*faults.Proxy).HalfOpen,
		func(p *faults.Proxy) { p.Delay(time.Duration(random.IntN(300)) * time.Millisecond) },
	}
	for range 20 {
		for range 1 + random.IntN(2) { // sometimes the same one twice, or both ways at once
			breaks[random.IntN(len(breaks))](proxies[random.IntN(len(proxies))])
			s.figures.faults++
		}
		pass(time.Duration(random.IntN(3000)) * time.Millisecond)
		if random.IntN(5) == 0 {
			pass(8 * time.Second) // more than the session
		}
		for _, p := range proxies {
			p.Heal()
		}
		pass(time.Duration(random.IntN(1000)) * time.Millisecond)
	}
	stop()
	s.end(alive...)
}
