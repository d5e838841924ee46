package config

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestSources: the collector's sources are read, with their secrets, and what is wrong is said with its line.
func TestSources(t *testing.T) {
	t.Chdir(t.TempDir())
	secret, err := filepath.Abs("zendesk")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(secret, []byte("s3cret\n"), 0o600))
	load := func(text string) (Config, error) {
		require.NoError(t, os.WriteFile("tidemark.yaml", []byte("collector:\n  sources:\n"+text), 0o600))
		return Load("tidemark.yaml", nil)
	}
	cfg, err := load("    zendesk: {kind: zendesk, secret_file: " + secret + "}\n    jira: {kind: jira, accounts: jsm}\n")
	require.NoError(t, err)
	require.Equal(t, "s3cret", cfg.Collector.Sources["zendesk"].Secret.Reveal())
	require.Equal(t, "zendesk", cfg.Collector.Sources["zendesk"].Accounts)
	require.Equal(t, "jsm", cfg.Collector.Sources["jira"].Accounts)
	_, err = load("    zendesk: {kind: zendesc}\n")
	require.EqualError(t, err, `tidemark.yaml:3: kind "zendesc" is unknown; did you mean zendesk?`)
}
