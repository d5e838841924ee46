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
		rand: rand.New(rand.NewPCG(seed, seed)),
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
	case 15:
		return g.signal(account, user, at, id)
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

// signal is one of any type, good or bad.
func (g *Traffic) signal(account, user string, at time.Time, id string) kafka.Message {
	when, n := at.Format(time.RFC3339Nano), g.rand.IntN(12)
	texts := []string{
		fmt.Sprintf(`{"type":"survey.responded","survey_id":"s","response_id":%q,"account_id":%q,"user_id":%q,"kind":"nps","score":%d,"responded_at":%q}`, id, account, user, n, when), // 11 is too much
		fmt.Sprintf(`{"type":"survey.responded","survey_id":"s","account_id":%q,"kind":"csat","score":%d,"scale_min":0,"scale_max":1,"responded_at":%q}`, account, n%2, when),
		fmt.Sprintf(`{"type":"survey.responded","survey_id":"s","account_id":%q,"kind":"mood","score":1,"responded_at":%q}`, account, when),
		fmt.Sprintf(`{"type":"kpi.reported","kpi":"otif","account_id":%q,"value":0.%d,"unit":"ratio","period":"2026-%02d","reported_at":%q}`, account, n, n+1, when),
		fmt.Sprintf(`{"type":"kpi.reported","kpi":"otif","account_id":%q,"value":%d,"period":"2026-W%02d","reported_at":%q}`, account, -n, 48+n, when), // not every year has 53 weeks
		fmt.Sprintf(`{"type":"kpi.reported","kpi":"otif","account_id":%q,"value":"%d","period":"2026","reported_at":%q}`, account, n, when),
		fmt.Sprintf(`{"type":"meter.reported","meter":"storage_gb","account_id":%q,"value":%d,"limit":100,"at":%q}`, account, n, when),
		fmt.Sprintf(`{"type":"meter.reported","meter":"storage_gb","account_id":%q,"value":%d,"at":%q}`, account, -n, when),
		fmt.Sprintf(`{"type":"goal.defined","goal_id":"g%d","account_id":%q,"kpi":"otif","start":0,"target":%d,"starts_at":"2026-01-01","due_at":"2027-01-01","owner":"dana"}`, n%3, account, n-6),
		fmt.Sprintf(`{"type":"release.deployed","version":"4.%d.0","at":%q,"notes":%q}`, n, when, id),
	}
	return kafka.Message{Topic: "signals", Key: []byte(account), Value: []byte(texts[g.rand.IntN(len(texts))])}
}
