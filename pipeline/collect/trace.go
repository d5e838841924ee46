package collect

import (
	"context"
	"net/http"

	kafka "github.com/segmentio/kafka-go"
	"go.opentelemetry.io/otel/propagation"
)

// traced keeps the W3C trace context of a request, if it has a valid one, for the records that it becomes.
func traced(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("traceparent") != "" {
			r = r.WithContext(propagation.TraceContext{}.Extract(r.Context(), propagation.HeaderCarrier(r.Header)))
		}
		next.ServeHTTP(w, r)
	})
}

// traceHeaders returns the headers that hand the trace context on to whoever reads the records; nil if there is none.
func traceHeaders(ctx context.Context) []kafka.Header {
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	if len(carrier) == 0 {
		return nil
	}
	headers := []kafka.Header{{Key: "traceparent", Value: []byte(carrier["traceparent"])}}
	if state := carrier["tracestate"]; state != "" {
		headers = append(headers, kafka.Header{Key: "tracestate", Value: []byte(state)})
	}
	return headers
}
