package clickhouse

import (
	"fmt"
	"testing"

	chcolumn "github.com/ClickHouse/clickhouse-go/v2/lib/column"
	"github.com/stretchr/testify/require"
)

// TestWordsKeepTheirOrder holds for every width of keys, which the number of distinct words decides.
func TestWordsKeepTheirOrder(t *testing.T) {
	for _, distinct := range []int{1, 254, 255, 256, 65_534, 65_535, 65_536} {
		t.Run(fmt.Sprint(distinct), func(t *testing.T) {
			words := []string{""}
			for i := range distinct {
				words = append(words, fmt.Sprintf("word %d", i), "", fmt.Sprintf("word %d", i/2))
			}
			into, err := chcolumn.Type("LowCardinality(String)").Column("c", &chcolumn.ServerContext{})
			require.NoError(t, err)
			require.NoError(t, col("c", &words).put(into))
			require.Equal(t, len(words), into.Rows())
			for i, w := range words {
				if into.Row(i, false) != w {
					t.Fatalf("row %d is %q, should be %q", i, into.Row(i, false), w)
				}
			}
		})
	}
}
