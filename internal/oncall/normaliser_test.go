//go:build prometheus

package oncall

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"
	"github.com/twmb/franz-go/pkg/sr/srfake"

	"tidemark/internal/faults"
)

// TestNormaliserStopped ends the only normaliser, and starts it again.
func TestNormaliserStopped(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.customers()
	s.others("{}")
	s.watch()
	s.prometheus.calm()
	s.normaliser.Terminate(t)
	s.prometheus.raises("TidemarkNormaliserGone")
	said := s.walk("normaliser.md", map[string]string{"tidemark normalise": "-"})
	require.Contains(t, said, "unassigned")
	s.normalise()
	s.prometheus.ends("TidemarkNormaliserGone")
}

// TestRegistryDown takes the schema registry away while another raw topic goes on.
func TestRegistryDown(t *testing.T) {
	t.Parallel()
	registry := srfake.New()
	t.Cleanup(registry.Close)
	id, _, err := registry.RegisterSchema("tickets", sr.Schema{Type: sr.TypeJSON, Schema: `{"type": "object"}`})
	require.NoError(t, err)
	var up atomic.Bool
	registry.Intercept(func(w http.ResponseWriter, _ *http.Request) bool {
		if !up.Load() {
			http.Error(w, "down", http.StatusServiceUnavailable)
		}
		return !up.Load()
	})
	s := newStand(t)
	s.customers()
	s.configure(fmt.Sprintf("normalise: {registry: {urls: [%q]}, topics: {%s, helpdesk: {format: json_schema, to: tickets}}}", registry.URL(), desk))
	s.topics("desk", "helpdesk")
	s.normalise()
	s.watch()
	s.prometheus.calm()
	at := time.Now().UTC().Format(time.RFC3339)
	header, err := new(sr.ConfluentHeader).AppendEncode(nil, id, nil)
	require.NoError(t, err)
	s.produce("helpdesk", 0, string(header)+fmt.Sprintf(`{"ticket_id":"8","account_id":"account-8","occurred_at":%q,"kind":"created"}`, at))
	s.produce("desk", 0, fmt.Sprintf(`{"kind":"ticket","id":7,"at":%q,"account":"account-7"}`, at))
	s.prometheus.raises("TidemarkRawTopicStalls helpdesk/")
	said := s.walk("normaliser.md", map[string]string{"tidemark normalise": "-"})
	require.Contains(t, said, "ask the schema registry for schema 1")
	up.Store(true)
	s.prometheus.ends("TidemarkRawTopicStalls helpdesk/")
	require.Eventually(t, func() bool {
		return s.sql("SELECT DISTINCT account_id FROM facts WHERE kind = 'ticket' ORDER BY account_id") == "('account-7')\n('account-8')\n"
	}, patience, 500*time.Millisecond)
}

// TestRawTopicBehind gives a normaliser whose way to Kafka is slow more records of an hour ago than it takes.
func TestRawTopicBehind(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.customers()
	s.configure("normalise: {topics: {" + desk + "}}")
	s.topics("desk")
	slow, err := faults.Kafka(s.Brokers[0])
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, slow.Close()) })
	s.normalise("TIDEMARK_KAFKA_BROKERS=" + slow.Addr())
	s.watch()
	s.prometheus.calm()
	slow.Delay(300 * time.Millisecond)
	var records []*kgo.Record
	for range 100_000 { // that make nothing, so that all else is as always
		records = append(records, &kgo.Record{Topic: "desk", Timestamp: time.Now().Add(-time.Hour), Value: []byte(`{"kind":"call"}`)})
	}
	require.NoError(t, s.client.ProduceSync(t.Context(), records...).FirstErr())
	s.prometheus.raises("TidemarkRawTopicBehind desk/")
	said := s.walk("normaliser.md", map[string]string{"tidemark normalise": "-"})
	require.Contains(t, said, "desk")
	slow.Heal()
	s.prometheus.ends("TidemarkRawTopicBehind desk/")
}
