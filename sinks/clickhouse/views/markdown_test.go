package views_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"tidemark/sinks/clickhouse/views"
)

func TestDocsAreUpToDate(t *testing.T) {
	cat := catalogue(t, "")
	text, err := views.Markdown(cat)
	require.NoError(t, err)
	for name, want := range map[string]string{"views.md": text, "metrics.md": views.MetricsMarkdown(cat)} {
		got, err := os.ReadFile("../../../docs/" + name)
		require.NoError(t, err)
		require.Equal(t, want, string(got), "run go generate ./sinks/clickhouse/views")
	}
}

func TestMarkdownShowsOwnMetrics(t *testing.T) {
	cat := catalogue(t, ownMetrics)
	text, err := views.Markdown(cat)
	require.NoError(t, err)
	require.Contains(t, text, "| exporters | UInt64 | users | Distinct users who export. |\n")
	metrics := views.MetricsMarkdown(cat)
	require.Contains(t, metrics, "| feature_bytes | features.bytes | bytes | Bytes that went through the feature. | sum of bytes of track | none | me |\n")
	require.Contains(t, metrics, "| there_and_back | Go → Turn → Go | 1h0m0s |")
}
