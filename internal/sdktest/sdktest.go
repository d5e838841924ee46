// Package sdktest sends events to a collector with the unmodified Segment SDKs
// for Node and Python, so that tests see what real clients send.
package sdktest

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

//go:embed node/package.json node/package-lock.json node/send.mjs python/requirements.txt python/send.py
var files embed.FS

// sendTimeout bounds one run of an SDK, its retries included.
const sendTimeout = 4 * time.Minute

// Plan is what an SDK is to send, in order.
type Plan struct {
	Calls []Call `json:"calls"`
	// FlushAt is how many calls the SDK sends at once; 0 is its default.
	FlushAt int `json:"flush_at,omitempty"`
	// Gzip compresses the bodies. Only the Python SDK can.
	Gzip bool `json:"gzip,omitempty"`
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
	if _, err := exec.LookPath("npm"); err != nil {
		if os.Getenv("CI") == "true" {
			require.FailNow(t, "npm is missing: install Node.js 20 or later with npm")
		}
		t.Skip("npm is missing: install Node.js 20 or later with npm to test the Node SDK")
	}
	dir := installNode(t)
	return send(t, endpoint, writeKey, plan, "node", filepath.Join(dir, "send.mjs"))
}

// SendPython is SendNode with segment-analytics-python. It fails the test where
// python3 is missing.
func SendPython(t testing.TB, endpoint, writeKey string, plan Plan) Result {
	t.Helper()
	dir := installPython(t)
	return send(t, endpoint, writeKey, plan, filepath.Join(dir, "venv", "bin", "python"), filepath.Join(dir, "send.py"))
}

func send(t testing.TB, endpoint, writeKey string, plan Plan, program, script string) Result {
	t.Helper()
	content, err := json.Marshal(plan)
	require.NoError(t, err)
	planFile := filepath.Join(t.TempDir(), "plan.json")
	require.NoError(t, os.WriteFile(planFile, content, 0o600))
	stdout := run(t, sendTimeout, "", program, script, planFile, endpoint, writeKey)
	var result Result
	require.NoError(t, json.Unmarshal(stdout, &result), "%s", stdout)
	return result
}

// run runs a program in dir and returns its standard output. It fails the test,
// with all of the output, when the program does not succeed in time.
func run(t testing.TB, timeout time.Duration, dir, program string, args ...string) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	command := exec.CommandContext(ctx, program, args...)
	command.Dir = dir
	command.WaitDelay = 5 * time.Second
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	err := command.Run()
	require.NoError(t, err, "%s\n%s\n%s", command, stdout.Bytes(), stderr.Bytes())
	return stdout.Bytes()
}
