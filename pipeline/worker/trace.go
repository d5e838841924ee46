package worker

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// maxLinks is how many requests that sent its records a source's flush names, the first ones. A span has 128 links at most.
const maxLinks = 8

// tracerName is the instrumentation's, in every span.
const tracerName = "tidemark"

// tracer returns the provider's, or one that makes nothing.
func tracer(p trace.TracerProvider) trace.Tracer {
	if p == nil {
		p = noop.NewTracerProvider()
	}
	return p.Tracer(tracerName)
}

// headers reads the W3C trace context of a record.
type headers []kgo.RecordHeader

// Get returns a header's value, or "".
func (h headers) Get(key string) string {
	for i := range h {
		if h[i].Key == key {
			return string(h[i].Value)
		}
	}
	return ""
}

// Set does nothing: records are only read.
func (headers) Set(string, string) {}

// Keys returns the names of all headers.
func (h headers) Keys() []string {
	keys := make([]string, len(h))
	for i := range h {
		keys[i] = h[i].Key
	}
	return keys
}

// link adds the traces that the records belong to, each once, as long as there is room.
func link(links []trace.Link, records []*kgo.Record) []trace.Link {
	var last trace.TraceID
	for _, r := range records {
		if len(links) >= maxLinks {
			return links
		}
		if len(r.Headers) == 0 {
			continue
		}
		from := trace.SpanContextFromContext(propagation.TraceContext{}.Extract(context.Background(), headers(r.Headers)))
		if !from.IsValid() || from.TraceID() == last {
			continue
		}
		last = from.TraceID()
		links = append(links, trace.Link{SpanContext: from})
	}
	return links
}

// span begins the span of a round, which is the root of a trace of its own: its records come from many.
func (f *Flusher) span(ctx context.Context, round []*request) (context.Context, trace.Span) {
	var links []trace.Link
	for _, r := range round {
		links = append(links, r.links...)
	}
	ctx, span := f.tracer.Start(ctx, "flush", trace.WithNewRoot(), trace.WithLinks(links...))
	if span.IsRecording() {
		var partitions, offsets []string
		rows := 0
		for _, r := range round {
			partition := fmt.Sprintf("%s/%d", r.id.Topic, r.id.Partition)
			partitions = append(partitions, partition)
			offsets = append(offsets, fmt.Sprintf("%s:%d-%d", partition, r.from, r.flush.Checkpoint.Offset))
			rows += r.flush.Rows.Rows()
		}
		span.SetAttributes(attribute.StringSlice("tidemark.partitions", partitions), attribute.StringSlice("tidemark.offsets", offsets),
			attribute.Int("tidemark.rows", rows))
	}
	return ctx, span
}

// end ends a span, as failed if there is an error.
func end(span trace.Span, err error) {
	if err != nil {
		span.RecordError(err)
		span.SetStatus(codes.Error, err.Error())
	}
	span.End()
}
