package simulate

import (
	"context"
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"tidemark/internal/devclickhouse/chtest"
)

func TestMain(m *testing.M) {
	if child := os.Getenv(childOptions); child != "" {
		os.Exit(runChild(child))
	}
	goleak.VerifyTestMain(chtest.WithShared(m))
}

// topics are the default ones.
var topics = Topics{Telemetry: "telemetry", Tickets: "tickets", Accounts: "accounts", Signals: "signals"}

func newCluster(t *testing.T) *kfake.Cluster {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(8, "telemetry", "tickets", "accounts", "signals"))
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

func newProducer(t *testing.T, c *kfake.Cluster) *kgo.Client {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...))
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return client
}

// standIn does in memory what the contract says of the collector, and yields
// the records that it writes.
type standIn struct {
	accounts map[string]string // of users
	parked   map[string][]map[string]any
	records  int // account records written
}

func newStandIn() *standIn {
	return &standIn{accounts: map[string]string{}, parked: map[string][]map[string]any{}}
}

// collect takes a message that came over HTTP.
func (s *standIn) collect(t *testing.T, body []byte) []*kgo.Record {
	t.Helper()
	var m map[string]any
	require.NoError(t, json.Unmarshal(body, &m))
	m["receivedAt"] = time.Now().UTC().Format(time.RFC3339Nano)
	m["originalTimestamp"] = m["timestamp"]
	context, _ := m["context"].(map[string]any)
	user := "u:" + text(m, "userId")
	if user == "u:" {
		user = "a:" + text(m, "anonymousId")
	}
	switch m["type"] {
	case "group":
		account := text(m, "groupId")
		records := []*kgo.Record{record("telemetry", account, m)}
		if traits, ok := m["traits"].(map[string]any); ok {
			traits["account_id"], traits["at"] = account, m["timestamp"]
			records = append(records, record("accounts", account, traits))
			s.records++
		}
		return append(records, s.release(user, account)...)
	case "identify":
		traits, _ := m["traits"].(map[string]any)
		if company, ok := traits["company"].(map[string]any); ok {
			account := text(company, "id")
			return append([]*kgo.Record{record("telemetry", account, m)}, s.release(user, account)...)
		}
	}
	account := text(context, "groupId")
	if account == "" {
		account = s.accounts[user]
	}
	if account == "" {
		s.parked[user] = append(s.parked[user], m)
		return nil
	}
	context["groupId"] = account
	return []*kgo.Record{record("telemetry", account, m)}
}

func (s *standIn) release(user, account string) []*kgo.Record {
	s.accounts[user] = account
	var records []*kgo.Record
	for _, m := range s.parked[user] {
		m["context"].(map[string]any)["groupId"] = account //nolint:forcetypeassert // the simulator always writes one
		records = append(records, record("telemetry", account, m))
	}
	delete(s.parked, user)
	return records
}

func record(topic, key string, value any) *kgo.Record {
	return &kgo.Record{Topic: topic, Key: []byte(key), Value: encode(value)}
}

func text(m map[string]any, name string) string {
	s, _ := m[name].(string)
	return s
}

// records are what a message becomes in Kafka.
func (s *standIn) recordsOf(t *testing.T, m Message) []*kgo.Record {
	t.Helper()
	if m.Via == HTTP {
		return s.collect(t, m.Body)
	}
	topic := map[Via]string{Telemetry: topics.Telemetry, Tickets: topics.Tickets, Accounts: topics.Accounts, Signals: topics.Signals}[m.Via]
	return []*kgo.Record{{Topic: topic, Key: []byte(m.Key), Value: m.Body}}
}

func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute) // a busy machine takes its time
	t.Cleanup(cancel)
	return ctx
}
