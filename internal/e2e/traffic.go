package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/segmentio/kafka-go"
)

// Traffic writes what producers that are not the collector may write: canonical events with everything that can be wrong
// in them, straight to Kafka, by a client that is not the pipeline's.
type Traffic struct {
	rand    *rand.Rand
	writer  *kafka.Writer
	wire    *kafka.Transport
	now     time.Time
	n       int
	repeats []kafka.Message
}

// NewTraffic returns traffic that is the same for the same seed, but for the time. Close it.
func NewTraffic(brokers []string, seed uint64) *Traffic {
	wire := &kafka.Transport{MetadataTTL: time.Second} // soon sees a partition that is added
	return &Traffic{
		rand: rand.New(rand.NewPCG(seed, seed)), //nolint:gosec // reproducible by seed
		wire: wire,
		writer: &kafka.Writer{
			Addr: kafka.TCP(brokers...), Transport: wire, Balancer: kafka.Murmur2Balancer{Consistent: true}, RequiredAcks: kafka.RequireAll,
			BatchTimeout: 5 * time.Millisecond, BatchSize: 500, WriteBackoffMax: 100 * time.Millisecond, MaxAttempts: 50,
		},
		now: time.Now().UTC(),
	}
}

// Close writes what is waiting and closes the connections.
func (g *Traffic) Close() error {
	defer g.wire.CloseIdleConnections()
	return g.writer.Close()
}

// Send writes n records.
func (g *Traffic) Send(ctx context.Context, n int) error {
	messages := make([]kafka.Message, 0, n)
	for range n {
		g.n++
		m := g.message()
		if g.rand.IntN(15) == 0 && len(g.repeats) > 0 { // sent again, a while later
			m = g.repeats[g.rand.IntN(len(g.repeats))]
		} else if g.repeats = append(g.repeats, m); len(g.repeats) > 500 {
			g.repeats = g.repeats[250:]
		}
		messages = append(messages, m)
	}
	if err := g.writer.WriteMessages(ctx, messages...); err != nil {
		return fmt.Errorf("send traffic: %w", err)
	}
	return nil
}

func (g *Traffic) message() kafka.Message {
	account := fmt.Sprintf("acct-%02d", g.rand.IntN(30))
	user := fmt.Sprintf("%s-u%d", account, g.rand.IntN(8))
	at := g.now.Add(-time.Duration(g.rand.IntN(120_000)) * time.Millisecond)
	if g.rand.IntN(20) == 0 { // hours, sometimes weeks late
		at = at.Add(-time.Duration(g.rand.IntN(20*24*60)) * time.Minute)
	}
	telemetry := func(format string, args ...any) kafka.Message {
		return kafka.Message{Topic: "telemetry", Key: []byte(account), Value: fmt.Appendf(nil, format, args...)}
	}
	id := fmt.Sprintf("m-%d-%d", g.n, g.rand.Int32())
	head := fmt.Sprintf(`"messageId":%q,"userId":%q,"context":{"groupId":%q},"timestamp":%q,"receivedAt":%q`,
		id, user, account, at.Format(time.RFC3339Nano), g.now.Format(time.RFC3339Nano))
	switch g.rand.IntN(24) {
	case 0:
		return telemetry(`{"type":"group","userId":%q,"groupId":%q,"messageId":%q}`, user, account, id)
	case 1: // no account of its own: that of the user, if a group call told it
		return telemetry(`{"type":"track","event":"Used","userId":%q,"messageId":%q,"timestamp":%q}`, user, id, at.Format(time.RFC3339Nano))
	case 2:
		return telemetry(`{"type":"page",%s}`, head)
	case 3:
		return telemetry(`{"type":"track","event":"Signed In",%s}`, head)
	case 4:
		return telemetry(`{"type":"track","event":"$exception","properties":{"feature":"f%d"},%s}`, g.rand.IntN(3), head)
	case 5, 6, 7:
		step := []string{"Report Started", "Report Configured", "Report Published"}[g.rand.IntN(3)]
		return telemetry(`{"type":"track","event":%q,%s}`, step, head)
	case 8:
		return telemetry(`{"type":"track",%s`, head[:g.rand.IntN(len(head))])
	case 9: // a device whose clock is off
		sent := g.now.Add(time.Duration(g.rand.IntN(100_000)-50_000) * time.Second)
		return telemetry(`{"type":"track","event":"Used","messageId":%q,"userId":%q,"context":{"groupId":%q},"originalTimestamp":%q,"sentAt":%q,"receivedAt":%q}`,
			id, user, account, sent.Add(at.Sub(g.now)).Format(time.RFC3339Nano), sent.Format(time.RFC3339Nano), g.now.Format(time.RFC3339Nano))
	case 10:
		return telemetry(`{"type":"alias","userId":%q,"previousId":"x","messageId":%q}`, user, id)
	case 11:
		return telemetry(`{"type":"track","event":"Used","messageId":%q,"userId":%q,"timestamp":%q}`, id, user, g.now.Add(time.Hour).Format(time.RFC3339))
	case 12, 13:
		return g.ticket(account, at, id)
	case 14:
		return kafka.Message{Topic: "accounts", Key: []byte(account), Value: fmt.Appendf(nil,
			`{"account_id":%q,"at":%q,"plan":"pro","seats":%d}`, account, at.Format(time.RFC3339Nano), g.rand.IntN(50))}
	}
	return telemetry(`{"type":"track","event":"Used","properties":{"feature":"f%d","duration_ms":%d,"nested":{"feature":"no"}},%s}`,
		g.rand.IntN(4), g.rand.IntN(1000), head)
}

func (g *Traffic) ticket(account string, at time.Time, id string) kafka.Message {
	kinds := []string{"created", "replied_agent", "priority", "assignment", "tag", "sla_breach", "solved", "reopened", "status", "nonsense"}
	return kafka.Message{Topic: "tickets", Key: []byte(account), Value: fmt.Appendf(nil,
		`{"ticket_id":"%d","source":"desk","account_id":%q,"occurred_at":%q,"kind":%q,"from":"p3","to":"p1","tags":["escalated"],"source_event_id":%q}`,
		g.rand.IntN(40), account, at.Format(time.RFC3339Nano), kinds[g.rand.IntN(len(kinds))], id)}
}
