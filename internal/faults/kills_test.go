//go:build faults

package faults_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tidemark/internal/e2e"
	"tidemark/internal/realkafka/kafkatest"
)

// TestKillsInRandomOrder kills two pipelines, the broker and the engine, one or several at a time, while traffic flows.
//
//tidemark:proves "a pipeline is killed in mid-flow": 1 3 4 5
//tidemark:proves "ClickHouse is killed": 1 3 4 5
//tidemark:proves "Kafka's broker is killed": 1 3 4 5
func TestKillsInRandomOrder(t *testing.T) {
	random := rand.New(rand.NewPCG(seed(t), 1))
	cluster, engine := kafkatest.Start(t), startEngine(t)
	s := newStage(t, cluster.Brokers(), engine.database(), seed(t))
	instances := map[string]*e2e.Process{"a": s.pipeline("a"), "b": s.pipeline("b")}
	stop := s.flow()
	defer stop()
	type victim struct {
		name          string
		kill, restart func()
	}
	victims := []victim{
		{"broker", func() { require.NoError(t, cluster.Kill(1)) }, func() { require.NoError(t, cluster.Restart(s.ctx, 1)) }},
		{"engine", engine.kill, engine.start},
	}
	for name := range instances {
		victims = append(victims, victim{name, func() {
			instances[name].Running(t) // the others' deaths are no reason to end
			instances[name].Kill()
		}, func() { instances[name] = s.pipeline(name) }})
	}
	pause := func() { pass(time.Duration(random.IntN(1500)) * time.Millisecond) }
	for range 15 {
		random.Shuffle(len(victims), func(i, j int) { victims[i], victims[j] = victims[j], victims[i] })
		chosen := victims[:1+random.IntN(len(victims))]
		for _, v := range chosen {
			v.kill()
			s.figures.kills++
			pause()
		}
		random.Shuffle(len(chosen), func(i, j int) { chosen[i], chosen[j] = chosen[j], chosen[i] })
		for _, v := range chosen {
			v.restart()
			pause()
		}
	}
	stop()
	s.end(instances["a"], instances["b"])
}
