package sdktest_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tidemark/internal/sdktest"
)

// TestOtherSDKs sends with the unmodified SDKs of PostHog, RudderStack, CloudEvents and OpenTelemetry, and finds every event in
// Kafka, once, with its account, its time and its properties.
func TestOtherSDKs(t *testing.T) {
	at := time.Now().Add(-90 * time.Minute).UTC().Truncate(time.Millisecond)
	context := map[string]any{"groupId": "acme"}
	for sdk, name := range map[string]string{
		"node/posthog": "Report Published", "python/posthog": "Report Published", "node/rudder": "Report Published",
		"node/cloudevents": "com.acme.published", "python/cloudevents": "com.acme.published", "node/otel": "feature_flag.evaluation",
	} {
		t.Run(sdk, func(t *testing.T) {
			brokers, endpoint := startCollector(t)
			plan := sdktest.Plan{Gzip: true}
			for i := range 3 {
				call := sdktest.Call{
					Type: "track", MessageID: fmt.Sprintf("0192f0d6-0000-7000-8000-00000000000%d", i), UserID: "ada", Event: name, Timestamp: &at, Context: context,
					Properties: map[string]any{"flag": "f", "variant": fmt.Sprint(i), "title": "Q3 – naïve ☃"},
				}
				plan.Calls = append(plan.Calls, call)
			}
			result := sdktest.Send(t, sdk, endpoint, writeKey, plan)
			require.Equal(t, sdktest.Result{Sent: len(plan.Calls), Failed: []string{}}, result)
			variants := map[string]bool{}
			for id, e := range telemetry(t, brokers, len(plan.Calls)) {
				require.Equal(t, "track", e.Type)
				require.Equal(t, name, e.Event)
				require.Equal(t, "acme", e.key)
				require.Equal(t, "acme", e.Context.GroupID)
				require.NotEmpty(t, id)
				require.True(t, e.OriginalTimestamp.Equal(at), e.OriginalTimestamp)
				if sdk == "node/otel" {
					require.Empty(t, e.UserID, "an evaluation is nobody's use")
				} else {
					require.Equal(t, "ada", e.UserID)
				}
				var properties struct{ Variant, Title string }
				require.NoError(t, json.Unmarshal(e.Properties, &properties))
				variants[properties.Variant] = true
				require.Equal(t, sdk != "node/otel", properties.Title == "Q3 – naïve ☃")
			}
			require.Len(t, variants, len(plan.Calls))
			if sdk == "node/posthog" || sdk == "python/posthog" {
				sendPostHogGroups(t, sdk, brokers, endpoint)
			}
			if sdk != "node/rudder" { // which ends the process with such an answer
				require.NotEmpty(t, sdktest.Send(t, sdk, endpoint, "another-key", plan).Failed)
			}
		})
	}
}

// sendPostHogGroups: what is said of a group is an account's attributes, and an alias has the account of its user.
func sendPostHogGroups(t *testing.T, sdk string, brokers []string, endpoint string) {
	t.Helper()
	result := sdktest.Send(t, sdk, endpoint, writeKey, sdktest.Plan{Calls: []sdktest.Call{
		{Type: "group", GroupID: "acme", Traits: map[string]any{"name": "Acme Ltd", "seats": 25}},
		{Type: "alias", UserID: "ada", PreviousID: "anon-1"},
		{Type: "track", UserID: "anon-1", Event: "Later", Properties: map[string]any{}},
	}})
	require.Equal(t, sdktest.Result{Sent: 3, Failed: []string{}}, result)
	for _, e := range telemetry(t, brokers, 6) {
		require.Equal(t, "acme", e.key, e.Type)
	}
	acme := attributes(t, brokers, "acme")
	require.Equal(t, "Acme Ltd", acme["name"])
	require.EqualValues(t, 25, acme["seats"])
}
