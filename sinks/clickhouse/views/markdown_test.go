package views_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tidemark/sinks/clickhouse/views"
)

func TestMarkdownShowsOwnMetrics(t *testing.T) {
	cat := catalogue(t, ownMetrics)
	text, err := views.Markdown(cat)
	require.NoError(t, err)
	require.Contains(t, text, "| exporters | UInt64 | users | Distinct users who export. |\n")
	metrics, err := views.MetricsMarkdown(cat, nil)
	require.NoError(t, err)
	require.Contains(t, metrics, "| feature_bytes | features.bytes | bytes | Bytes that went through the feature. | sum of bytes of track | none | me |  |  | nothing yet: vanity |\n")
	require.Contains(t, metrics, "| there_and_back | Go → Turn → Go | 1h0m0s |")
}
