//go:build faults

package faults_test

import (
	"testing"

	"tidemark/internal/devclickhouse/chtest"
	"tidemark/internal/realkafka/kafkatest"
)

// TestCrashAtEveryStep kills the pipeline at every step between poll and the commit's acknowledgement, the first time it
// comes there and later ones.
func TestCrashAtEveryStep(t *testing.T) {
	t.Run("embedded Kafka", func(t *testing.T) { newStage(t, startKafka(t).Addrs(), chtest.Shared(t), 2).crashes() })
	t.Run("real Kafka", func(t *testing.T) { newStage(t, kafkatest.Start(t).Brokers(), chtest.Shared(t), 3).crashes() })
}
