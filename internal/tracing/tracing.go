// Package tracing sends the spans of a process to an OpenTelemetry collector, by OTLP over HTTP.
package tracing

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.uber.org/zap"
)

// Start returns what makes spans and sends them, in batches and in the background, to a receiver such as
// http://otel-collector:4318, below which /v1/traces takes them. instance tells this process from others. The standard variables say the rest:
// OTEL_EXPORTER_OTLP_HEADERS, OTEL_EXPORTER_OTLP_CERTIFICATE, OTEL_TRACES_SAMPLER, OTEL_RESOURCE_ATTRIBUTES and so on. A receiver that does not answer
// costs spans and nothing else. Shut it down at the end.
func Start(ctx context.Context, endpoint, instance string, log *zap.Logger) (*sdk.TracerProvider, error) {
	base, err := url.Parse(endpoint)
	if err != nil {
		return nil, fmt.Errorf("tracing.endpoint: %w", err)
	}
	if strings.Trim(base.Path, "/") == "" {
		base.Path = "/v1/traces"
	}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(base.String()))
	if err != nil {
		return nil, fmt.Errorf("send traces to %s: %w", base.Redacted(), err)
	}
	self, err := resource.New(ctx,
		resource.WithAttributes(attribute.String("service.name", "tidemark"), attribute.String("service.instance.id", instance)),
		resource.WithFromEnv(), resource.WithTelemetrySDK())
	if err != nil {
		return nil, fmt.Errorf("describe this process for traces: %w", err)
	}
	// The library has one handler a process, for what fails in the background.
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Warn("spans are lost", zap.Error(err)) }))
	return sdk.NewTracerProvider(sdk.WithBatcher(exporter), sdk.WithResource(self)), nil
}
