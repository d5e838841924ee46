//go:build synctests

package pipeline_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
)

func TestATopicThatIsMissingIsNamedAndReadOnceItExists(t *testing.T) {
	in(t, func(w *world) {
		t := w.t
		admin := kadm.NewClient(w.client)
		_, err := admin.DeleteTopics(w.ctx, "telemetry")
		require.NoError(t, err)
		m := w.join("m")
		ctx, cancel := context.WithCancel(w.ctx)
		observed := make(chan struct{})
		go func() {
			m.Observe(ctx, w.model)
			close(observed)
		}()
		defer func() { cancel(); <-observed }()
		time.Sleep(5 * time.Second)
		require.ErrorContains(t, m.Ready(), "topics telemetry do not exist: create them with tidemark migrate")

		_, err = admin.CreateTopic(w.ctx, partitions, 1, nil, "telemetry")
		require.NoError(t, err)
		w.produce(50)
		require.True(t, w.settle(time.Minute))
		time.Sleep(10 * time.Second) // until it looks again
		require.NoError(t, m.Ready())
		w.leave(m)
	})
}
