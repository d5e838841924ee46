package worker

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

// TestLinksAreBounded has thousands of requests send one flush's records: some are named, none twice, and what is no trace never.
func TestLinksAreBounded(t *testing.T) {
	from := func(traceparent string) *kgo.Record {
		return &kgo.Record{Headers: []kgo.RecordHeader{{Key: "other"}, {Key: "traceparent", Value: []byte(traceparent)}}}
	}
	require.Empty(t, link(nil, []*kgo.Record{{}, from("00-zz-1-01"), from("")}))
	same := from("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	links := link(nil, []*kgo.Record{same, same, same})
	require.Len(t, links, 1)
	require.Equal(t, "4bf92f3577b34da6a3ce929d0e0e4736", links[0].SpanContext.TraceID().String())
	for n := range 5000 {
		links = link(links, []*kgo.Record{from(fmt.Sprintf("00-%032x-00f067aa0ba902b7-01", n+1))})
	}
	require.Len(t, links, maxLinks)
}
