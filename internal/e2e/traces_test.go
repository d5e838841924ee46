package e2e

import (
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"tidemark/internal/devkafka"
)

// otlpReceiver takes spans as an OpenTelemetry collector does.
type otlpReceiver struct {
	*httptest.Server
	mu      sync.Mutex
	spans   []*trace.Span
	service string
}

func newOTLPReceiver(t *testing.T) *otlpReceiver {
	t.Helper()
	r := &otlpReceiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		var sent collector.ExportTraceServiceRequest
		if err != nil || req.URL.Path != "/v1/traces" || req.Header.Get("Content-Type") != "application/x-protobuf" || proto.Unmarshal(body, &sent) != nil {
			t.Errorf("this is not OTLP: %s %s", req.URL.Path, req.Header.Get("Content-Type"))
			http.Error(w, "not OTLP", http.StatusBadRequest)
			return
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, resource := range sent.ResourceSpans {
			r.service = text(resource.Resource.Attributes, "service.name")
			for _, scope := range resource.ScopeSpans {
				r.spans = append(r.spans, scope.Spans...)
			}
		}
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	t.Cleanup(r.Close)
	return r
}

// text is an attribute's value; lists are joined by spaces.
func text(attributes []*common.KeyValue, key string) string {
	for _, a := range attributes {
		if a.Key == key {
			var all []string
			for _, v := range a.Value.GetArrayValue().GetValues() {
				all = append(all, v.GetStringValue())
			}
			return a.Value.GetStringValue() + strings.Join(all, " ")
		}
	}
	return ""
}

func number(attributes []*common.KeyValue, key string) int64 {
	for _, a := range attributes {
		if a.Key == key {
			return a.Value.GetIntValue()
		}
	}
	return -1
}

// linked returns the flush that names a trace, and the spans below it.
func (r *otlpReceiver) linked(id string) (flush *trace.Span, below []*trace.Span) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.spans {
		if s.Name == "flush" && slices.ContainsFunc(s.Links, func(l *trace.Span_Link) bool { return hex.EncodeToString(l.TraceId) == id }) {
			flush = s
		}
	}
	if flush == nil {
		return nil, nil
	}
	for _, s := range r.spans {
		if string(s.ParentSpanId) == string(flush.SpanId) {
			below = append(below, s)
		}
	}
	return flush, below
}

// TestTraces sends an event in a trace, and finds the flush that wrote it by that trace, with what it did.
func TestTraces(t *testing.T) {
	broker, err := devkafka.Start(t.Context(), devkafka.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, broker.Close()) })
	s := newStage(t, broker.Addrs())
	spans := newOTLPReceiver(t)
	_, address := s.collector()
	pipeline := s.Pipeline(Binary(t, ""), "a", "TIDEMARK_TRACING_ENDPOINT="+spans.URL, "OTEL_BSP_SCHEDULE_DELAY=100")

	const id = "4bf92f3577b34da6a3ce929d0e0e4736"
	send := func(traceparent string) int {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address+"/v1/track",
			strings.NewReader(`{"event":"Report Viewed","userId":"u","context":{"groupId":"acme"}}`))
		require.NoError(t, err)
		req.Header.Set("Traceparent", traceparent)
		req.Header.Set("Tracestate", "vendor=1")
		client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute}
		resp, err := client.Do(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		return resp.StatusCode
	}
	require.Eventually(t, func() bool { return send("not a trace") == http.StatusOK }, 5*time.Minute, 50*time.Millisecond, "the collector does not start")
	require.Equal(t, http.StatusOK, send("00-"+id+"-00f067aa0ba902b7-01"))
	s.Settle(t.Context(), pipeline)
	pipeline.Terminate(t) // which sends the last spans

	flush, below := spans.linked(id)
	require.NotNil(t, flush, "no flush is linked to the trace that the request was in")
	require.Equal(t, "tidemark", spans.service)
	require.Empty(t, flush.ParentSpanId)
	require.Regexp(t, `(^| )telemetry/\d( |$)`, text(flush.Attributes, "tidemark.partitions"))
	require.Regexp(t, `telemetry/\d:\d+-\d+`, text(flush.Attributes, "tidemark.offsets"))
	require.Positive(t, number(flush.Attributes, "tidemark.rows"))
	var names []string
	rows := int64(0)
	for _, b := range below {
		names = append(names, b.Name)
		require.Equal(t, flush.TraceId, b.TraceId)
		require.GreaterOrEqual(t, b.EndTimeUnixNano, b.StartTimeUnixNano)
		if strings.HasPrefix(b.Name, "insert ") && b.Name != "insert checkpoints" {
			rows += number(b.Attributes, "tidemark.rows")
		}
	}
	require.Subset(t, names, []string{"insert counters", "insert user_minutes", "insert checkpoints", "commit"})
	require.Equal(t, number(flush.Attributes, "tidemark.rows"), rows, "of all tables together")
}
