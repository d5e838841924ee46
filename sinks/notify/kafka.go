package notify

import (
	"context"
	"fmt"
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"
)

// topic writes messages to a topic of Kafka, keyed by account, acknowledged by all replicas in sync.
type topic struct {
	name   string
	client *kgo.Client
}

func newTopic(name string, opts []kgo.Opt) (*topic, error) {
	client, err := kgo.NewClient(append(append([]kgo.Opt{}, opts...), kgo.RequiredAcks(kgo.AllISRAcks()), kgo.ProducerLinger(0))...)
	if err != nil {
		return nil, fmt.Errorf("kafka: %w", err)
	}
	return &topic{name, client}, nil
}

func (t *topic) send(ctx context.Context, m *Message) Result {
	body, err := m.Body()
	if err != nil {
		return Result{Outcome: Rejected, Detail: err.Error()}
	}
	n := &m.Notifications[0]
	record := &kgo.Record{Topic: t.name, Key: []byte(n.Account), Value: body, Timestamp: n.KnownAt, Headers: []kgo.RecordHeader{
		{Key: "webhook-id", Value: []byte(m.ID)},
		{Key: "type", Value: []byte(m.Type())},
		{Key: "alert-id", Value: []byte(n.AlertID)},
		{Key: "seq", Value: strconv.AppendUint(nil, n.Seq, 10)},
	}}
	if err := t.client.ProduceSync(ctx, record).FirstErr(); err != nil {
		return Result{Outcome: Failed, Detail: err.Error()}
	}
	return Result{}
}

func (t *topic) close() { t.client.Close() }
