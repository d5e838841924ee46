// Package sdktest sends events to a collector with unmodified SDKs for Node and
// Python: Segment's, RudderStack's, PostHog's, CloudEvents' and OpenTelemetry's,
// so that tests see what real clients send.
package sdktest

import (
	"embed"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tidemark/internal/foreign"
)

//go:embed node python
var files embed.FS

// sendTimeout bounds one run of an SDK, its retries included, but for the pauses of Plan.PerSecond.
const sendTimeout = 4 * time.Minute

// Plan is what an SDK is to send, in order.
type Plan struct {
	Calls []Call `json:"calls"`
	// FlushAt is how many calls the SDK sends at once; 0 is its default.
	FlushAt int `json:"flush_at,omitempty"`
	// Gzip compresses the bodies. Only the Python SDK can.
	Gzip bool `json:"gzip,omitempty"`
	// PerSecond is how many calls are made in a second; 0 is as fast as they can. Only Segment's SDKs know it.
	PerSecond int `json:"per_second,omitempty"`
}

// timeout bounds the SDK's run.
func (p Plan) timeout() time.Duration {
	if p.PerSecond == 0 {
		return sendTimeout
	}
	return sendTimeout + time.Duration(len(p.Calls)/p.PerSecond)*time.Second
}

// Call is one call of an SDK, with the names of the Segment spec. The ids may be
// numbers where the SDK takes them. Fields that a type does not have must be left
// out, as in the SDK's own signature.
type Call struct {
	Type        string         `json:"type"` // track, identify, group, page, screen or alias
	UserID      any            `json:"userId,omitempty"`
	AnonymousID any            `json:"anonymousId,omitempty"`
	GroupID     any            `json:"groupId,omitempty"`
	PreviousID  any            `json:"previousId,omitempty"`
	Event       string         `json:"event,omitempty"`
	Name        string         `json:"name,omitempty"`
	MessageID   string         `json:"messageId,omitempty"` // "" lets the SDK choose
	Timestamp   *time.Time     `json:"timestamp,omitempty"` // nil is now
	Properties  map[string]any `json:"properties,omitempty"`
	Traits      map[string]any `json:"traits,omitempty"`
	Context     map[string]any `json:"context,omitempty"`
}

// Result is what the SDK says became of the calls.
type Result struct {
	Sent   int      `json:"sent"`
	Failed []string `json:"failed"` // a reason for each call that was given up
}

// SendNode sends the plan with @segment/analytics-node to the collector at
// endpoint, for example http://127.0.0.1:8080, and returns once the SDK has
// delivered or given up every call. The first use on a machine installs the SDK
// into the user's cache directory. It skips the test where npm is missing, and
// fails it when CI=true.
func SendNode(t testing.TB, endpoint, writeKey string, plan Plan) Result {
	t.Helper()
	return send(t, endpoint, writeKey, plan, foreign.Node(t, files, "send.mjs"))
}

// SendPython is SendNode with segment-analytics-python. It fails the test where
// python3 is missing.
func SendPython(t testing.TB, endpoint, writeKey string, plan Plan) Result {
	t.Helper()
	return send(t, endpoint, writeKey, plan, foreign.Python(t, files, "send.py"))
}

// Send is SendNode with another of the SDKs: "node/posthog", "node/rudder", "node/cloudevents", "node/otel", "python/posthog" or
// "python/cloudevents". They take of a plan what they know: PostHog's and CloudEvents' a track call with its
// context.groupId, PostHog's a group and an alias call as well, OpenTelemetry's a track call of a flag's evaluation.
func Send(t testing.TB, sdk, endpoint, writeKey string, plan Plan) Result {
	t.Helper()
	language, name, _ := strings.Cut(sdk, "/")
	if language == "node" {
		return send(t, endpoint, writeKey, plan, foreign.Node(t, files, name+".mjs"))
	}
	return send(t, endpoint, writeKey, plan, foreign.Python(t, files, name+"_.py"))
}

// KafkaMessage is a record as an SDK hands it to a Kafka producer.
type KafkaMessage struct {
	Headers map[string][]byte `json:"headers"`
	Key     []byte            `json:"key"`
	Value   []byte            `json:"value"`
}

// CloudEventsForKafka returns what the CloudEvents SDK of a language, "node" or "python", makes of the plan's track calls with its Kafka binding: in
// binary and structured mode in turn.
func CloudEventsForKafka(t testing.TB, language string, plan Plan) []KafkaMessage {
	t.Helper()
	command := foreign.Node
	script := "cloudevents_kafka.mjs"
	if language == "python" {
		command, script = foreign.Python, "cloudevents_kafka_.py"
	}
	stdout := run(t, plan, command(t, files, script))
	var messages []KafkaMessage
	require.NoError(t, json.Unmarshal(stdout, &messages), "%s", stdout)
	return messages
}

func send(t testing.TB, endpoint, writeKey string, plan Plan, command []string) Result {
	t.Helper()
	stdout := run(t, plan, command, endpoint, writeKey)
	var result Result
	require.NoError(t, json.Unmarshal(stdout, &result), "%s", stdout)
	return result
}

// run runs a script with the plan, and returns what it prints.
func run(t testing.TB, plan Plan, command []string, args ...string) []byte {
	t.Helper()
	content, err := json.Marshal(plan)
	require.NoError(t, err)
	planFile := filepath.Join(t.TempDir(), "plan.json")
	require.NoError(t, os.WriteFile(planFile, content, 0o600))
	return foreign.Run(t, plan.timeout(), "", command[0], append(append(slices.Clone(command[1:]), planFile), args...)...)
}
