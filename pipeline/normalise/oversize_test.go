package normalise_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/internal/poison"
	"tidemark/pipeline/unpack"
)

// TestBatchesTooLarge: a batch that is not unpacked, be it the first of a log, behind more records than are read at once, or met in several partitions
// at the same moment, is left out with a dead letter, and all around it is normalised once.
func TestBatchesTooLarge(t *testing.T) {
	t.Parallel()
	w := newWorld(t, helpdesk, "helpdesk")
	crowd, err := poison.Crowd(kgo.CodecZstd, unpack.MaxRecords+1)
	require.NoError(t, err)
	bad := map[string]bool{}
	tooLarge := func(partition int32) {
		t.Helper()
		offset, err := poison.Produce(t.Context(), w.client, "helpdesk", partition, crowd)
		require.NoError(t, err)
		bad[fmt.Sprint(partition, ":", offset)] = true
	}
	n := 0
	client, err := kgo.NewClient(kgo.SeedBrokers(w.brokers...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	require.NoError(t, err)
	defer client.Close()
	good := func(partition int32, count int) {
		t.Helper()
		var records []*kgo.Record
		for range count {
			value := fmt.Appendf(nil, `{"type":"opened","id":"r%d","at":%q,"account":"acme"}`, n, time.Now().UTC().Format(time.RFC3339))
			records = append(records, &kgo.Record{Topic: "helpdesk", Partition: partition, Value: value})
			n++
		}
		require.NoError(t, client.ProduceSync(t.Context(), records...).FirstErr())
	}
	for p := range int32(partitions) {
		tooLarge(p)
		good(p, 1)
		tooLarge(p)
	}
	for p := range int32(partitions) {
		good(p, 1700) // more than a transaction has
		tooLarge(p)
		good(p, 3)
	}
	w.join("a", nil)
	w.settle()
	seen := map[string]int{}
	for _, r := range w.read("tickets") {
		seen[object(t, r.Value)["ticket_id"].(string)]++
	}
	require.Len(t, seen, n)
	for id, times := range seen {
		require.Equal(t, 1, times, id)
	}
	got := map[string]bool{}
	for _, r := range w.read("dead-letters") {
		require.Equal(t, "oversize", header(r, "tidemark-reason"))
		var partition, offset int
		_, err := fmt.Sscanf(header(r, "tidemark-source")+" "+header(r, "tidemark-offset"), "helpdesk/%d@", &partition)
		require.NoError(t, err)
		_, err = fmt.Sscan(header(r, "tidemark-offset"), &offset)
		require.NoError(t, err)
		got[fmt.Sprint(partition, ":", offset)] = true
	}
	require.Equal(t, bad, got)
}
