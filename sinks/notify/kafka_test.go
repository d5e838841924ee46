package notify

import (
	"context"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"tidemark/internal/devkafka"
)

// A topic has a record a message, keyed by account, with the webhook-id; another client than the sender's reads it.
func TestTopic(t *testing.T) {
	broker, err := devkafka.Start(t.Context(), devkafka.Options{})
	require.NoError(t, err)
	defer func() { require.NoError(t, broker.Close()) }()
	seeds := kgo.SeedBrokers(broker.Addrs()...)
	client, err := kgo.NewClient(seeds)
	require.NoError(t, err)
	defer client.Close()
	_, err = kadm.NewClient(client).CreateTopic(t.Context(), 3, 1, nil, "alerts")
	require.NoError(t, err)
	s, rate, digest, err := (&Target{Kafka: &Kafka{Topic: "alerts"}}).open(surroundings{kafka: []kgo.Opt{seeds}, log: zap.NewNop(), now: time.Now})
	require.NoError(t, err)
	defer s.close()
	require.Equal(t, noRate, rate)
	require.Equal(t, oneByOne, digest)
	m := single("tr_1")
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	require.Equal(t, Result{}, s.send(ctx, m))

	reader := kafka.NewReader(kafka.ReaderConfig{Brokers: broker.Addrs(), GroupID: "customer", Topic: "alerts"})
	defer func() { require.NoError(t, reader.Close()) }()
	record, err := reader.ReadMessage(ctx)
	require.NoError(t, err)
	require.Equal(t, "acme", string(record.Key))
	body, err := m.Body()
	require.NoError(t, err)
	require.JSONEq(t, string(body), string(record.Value))
	headers := map[string]string{}
	for _, h := range record.Headers {
		headers[h.Key] = string(h.Value)
	}
	require.Equal(t, map[string]string{"webhook-id": "tr_1", "type": "alert.fired", "alert-id": "al_1", "seq": "1"}, headers)

	short, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	other, _, _, err := (&Target{Kafka: &Kafka{Topic: "nowhere"}}).open(surroundings{kafka: []kgo.Opt{seeds}, log: zap.NewNop(), now: time.Now})
	require.NoError(t, err)
	defer other.close()
	require.Equal(t, Failed, other.send(short, m).Outcome)
}
