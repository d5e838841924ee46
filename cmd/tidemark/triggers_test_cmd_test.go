package main

import (
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

// testTriggersTests runs the tests of the shipped pack as a user does: those of values, and those of records, which the pipeline folds.
func testTriggersTests(t *testing.T, binary string) {
	const dir = "../../internal/backtest/testdata/"
	out, err := exec.CommandContext(t.Context(), binary, "triggers", "test", dir+"pack.yaml", dir+"pack_records.yaml").CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "ok    the third escalation within 30 days fires once, and not again within the cool-down\n")
	require.Contains(t, string(out), "ok    half of the users have gone before the contract ends\n")
	require.NotContains(t, string(out), "FAIL")

	wrong := configFile(t, "tests: [{name: n, of: [escalations], tickets: [{kind: priority}]}]")
	out, err = exec.CommandContext(t.Context(), binary, "triggers", "test", wrong).CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(out), "account is missing: the one that the records are of")
}
