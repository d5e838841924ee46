package normalise_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

const helpdesk = `
helpdesk:
  format: json
  accounts: helpdesk
  priorities: {urgent: p1}
  events:
    - when: {$.type: [opened, raised]}
      ticket: {ticket_id: $.id, kind: created, occurred_at: $.at, organization: $.customer, account_id: $.account, priority: $.urgency}
    - when: {$.type: used}
      event: {name: $.what, user_id: $.user, account_id: $.account, occurred_at: $.at, properties: $.details, properties.feature: $.module}
`

// TestEveryRecordOnceUnderKills: whatever is killed and whenever, each raw record is in exactly one of the topics, once, for those who read
// committed records: as an event, waiting for its account, or as a dead letter.
func TestEveryRecordOnceUnderKills(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			luck := rand.New(rand.NewPCG(seed, 7))
			w := newWorld(t, helpdesk, "helpdesk")
			members := map[string]*member{"a": w.join("a", nil), "b": w.join("b", nil)}
			want, n := map[string]string{}, 0
			for range 8 {
				for range 1 + luck.IntN(5) {
					var records []*kgo.Record
					for range luck.IntN(60) {
						records = append(records, rawRecord(luck, n, want))
						n++
					}
					w.produce(records...)
					time.Sleep(time.Duration(luck.IntN(30)) * time.Millisecond) // so that kills come at any moment
				}
				name := []string{"a", "b"}[luck.IntN(2)]
				if luck.IntN(4) == 0 {
					members[name].leave()
				} else {
					members[name].kill()
				}
				members[name] = w.join(name, nil)
			}
			w.settle()
			got := map[string][]string{}
			for _, topic := range []string{"tickets", "telemetry", "parked", "dead-letters"} {
				for _, r := range w.read(topic) {
					id := header(r, "raw-id") // of a dead letter
					if topic != "dead-letters" {
						o := object(t, r.Value)
						if topic == "parked" {
							o = o["event"].(map[string]any)
						}
						id, _ = o["ticket_id"].(string)
						if properties, ok := o["properties"].(map[string]any); ok {
							id, _ = properties["id"].(string)
						}
					}
					got[id] = append(got[id], topic)
				}
			}
			require.Len(t, got, n)
			for id, topic := range want {
				require.Equal(t, []string{topic}, got[id], "record %s", id)
			}
		})
	}
}

// rawRecord makes record n, and notes where it must come out.
func rawRecord(luck *rand.Rand, n int, want map[string]string) *kgo.Record {
	id, at := fmt.Sprintf("r%d", n), time.Now().UTC().Format(time.RFC3339)
	r := &kgo.Record{Topic: "helpdesk", Key: fmt.Appendf(nil, "k%d", luck.IntN(9)), Headers: []kgo.RecordHeader{{Key: "raw-id", Value: []byte(id)}}}
	switch luck.IntN(5) {
	case 0:
		want[id], r.Value = "dead-letters", []byte(`{"type":"opened"`)
	case 1:
		want[id], r.Value = "dead-letters", fmt.Appendf(nil, `{"type":"opened","id":%q,"at":"soon","account":"acme"}`, id)
	case 2:
		want[id], r.Value = "parked", fmt.Appendf(nil, `{"type":"opened","id":%q,"at":%q,"customer":"nobody"}`, id, at)
	case 3:
		want[id], r.Value = "telemetry", fmt.Appendf(nil, `{"type":"used","what":"Report","user":"u","at":%q,"account":"acme","details":{"id":%q}}`, at, id)
	default:
		want[id], r.Value = "tickets", fmt.Appendf(nil, `{"type":"raised","id":%q,"at":%q,"account":"acme","urgency":"urgent"}`, id, at)
	}
	return r
}
