package board

import (
	"context"
	"embed"
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"tidemark/schemas/rules"
)

//go:embed sql
var queries embed.FS

// queryTimeout bounds one query.
const queryTimeout = 60 * time.Second

// store is what a viewer's pages are made of: ClickHouse as one of its users, and what is known of the pipeline.
type store struct {
	conn     driver.Conn
	explain  Explain // nil: the log is out of reach
	pipeline *gathered
	rules    []*rules.Rule // of the reader only
}

// read runs sql/file.sql and returns its rows; the fields of T are tagged with `ch:"column"`. Parameters, given by
// clickhouse.Named, are quoted by the client. Names and values given in replace, as pairs, stand for themselves: for
// ORDER BY and the like, never for what a viewer wrote.
func read[T any](ctx context.Context, s *store, file string, params []any, replace ...string) ([]T, error) {
	text, err := queries.ReadFile("sql/" + file + ".sql")
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	settings := clickhouse.Settings{
		"max_execution_time": int(queryTimeout / time.Second), // the server's own end to it, should ours not reach it
		"log_comment":        "tidemark board " + file,
	}
	var rows []T
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(settings))
	if err := s.conn.Select(ctx, &rows, strings.NewReplacer(replace...).Replace(string(text)), params...); err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	return rows, nil
}

// named is a parameter of a query.
func named(name string, value any) any { return clickhouse.Named(name, value) }
