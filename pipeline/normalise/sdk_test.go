package normalise_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/internal/sdktest"
)

// TestCloudEventsSDKs: what the unmodified SDKs for JavaScript and Python hand to a Kafka producer, in either mode, comes out as an event with its
// account, time and properties.
func TestCloudEventsSDKs(t *testing.T) {
	t.Parallel()
	for _, language := range []string{"node", "python"} {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "events: {format: cloudevents}", "events")
			w.join("a", nil)
			at := time.Now().Add(-90 * time.Minute).UTC().Truncate(time.Millisecond)
			var plan sdktest.Plan
			for i := range 4 {
				plan.Calls = append(plan.Calls, sdktest.Call{
					Type: "track", MessageID: fmt.Sprint("id-", i), UserID: "ada", Event: "com.acme.published", Timestamp: &at, Context: map[string]any{"groupId": "acmé"},
					Properties: map[string]any{"n": fmt.Sprint(i), "title": "Q3 – naïve ☃"},
				})
			}
			for _, m := range sdktest.CloudEventsForKafka(t, language, plan) {
				r := &kgo.Record{Topic: "events", Key: m.Key, Value: m.Value}
				for name, v := range m.Headers {
					r.Headers = append(r.Headers, kgo.RecordHeader{Key: name, Value: v})
				}
				w.produce(r)
			}
			w.settle()
			for _, r := range w.read("dead-letters") {
				require.Fail(t, header(r, "tidemark-detail"))
			}
			seen := map[string]bool{}
			for _, r := range w.read("telemetry") {
				require.Equal(t, "acmé", string(r.Key))
				o := object(t, r.Value)
				properties := o["properties"].(map[string]any)
				require.Equal(t, "Q3 – naïve ☃", properties["title"])
				require.Equal(t, "ada", o["userId"])
				require.Equal(t, at.Format("2006-01-02T15:04:05.000Z"), o["timestamp"])
				seen[properties["n"].(string)] = true
			}
			require.Len(t, seen, len(plan.Calls))
		})
	}
}
