package clickhouse

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/errgroup"
)

// Write inserts the batch, one INSERT a table, all tables at once. On nil every row is durable. After an error some may
// be: writing the batch again, or parts of it, or by somebody else, comes to the same rows.
func (c *Client) Write(ctx context.Context, b *Batch) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, t := range b.tables() {
		if t.rows() > 0 {
			g.Go(func() error { return c.insert(ctx, t) })
		}
	}
	return g.Wait()
}

// WriteCheckpoints inserts checkpoints. Call it once the rows that they account for are written.
func (c *Client) WriteCheckpoints(ctx context.Context, p *Checkpoints) error {
	return c.insert(ctx, p.table())
}

// WriteProgress inserts observations of where sources stand.
func (c *Client) WriteProgress(ctx context.Context, p *Progress) error {
	return c.insert(ctx, p.table())
}

func (c *Client) insert(ctx context.Context, t table) (err error) {
	// A child of the caller's span, if it has one: otherwise this is nothing.
	if parent := trace.SpanFromContext(ctx); parent.IsRecording() {
		var span trace.Span
		ctx, span = parent.TracerProvider().Tracer("tidemark").Start(ctx, "insert "+t.name, trace.WithAttributes(
			attribute.String("db.system.name", "clickhouse"), attribute.String("db.collection.name", t.name), attribute.Int("tidemark.rows", t.rows())))
		defer func() {
			if err != nil {
				span.SetStatus(codes.Error, err.Error())
			}
			span.End()
		}()
	}
	generation := slices.Repeat([]uint16{c.generation}, t.rows())
	t.columns = append(t.columns, col("generation", &generation))
	names := make([]string, len(t.columns))
	for i := range t.columns {
		names[i] = t.columns[i].name()
	}
	// By name, so that a column added by a newer version is no error.
	batch, err := c.conn.PrepareBatch(c.InsertContext(ctx), "INSERT INTO "+t.name+"_all ("+strings.Join(names, ", ")+")")
	if err != nil {
		return fmt.Errorf("insert %d rows into %s: %w", t.rows(), t.name, err)
	}
	defer batch.Close() //nolint:errcheck // after Send it does nothing; after an error that error is the one to tell
	for i, into := range batch.Columns() {
		if err := t.columns[i].put(into); err != nil {
			return fmt.Errorf("insert into %s: column %s: %w", t.name, names[i], err)
		}
	}
	if err := batch.Send(); err != nil {
		return fmt.Errorf("insert %d rows into %s: %w", t.rows(), t.name, err)
	}
	return nil
}
