package clickhouse

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Generation is a whole set of rollups, computed from the start of the logs under a consumer group of its own.
type Generation struct {
	Number    uint16
	State     string // building, live, retired or dropped
	Since     time.Time
	Catalogue string // hash of the one in use, by its latest checkpoint; before there is one: of the one that it was begun with
}

// The states of a generation.
const (
	Building = "building" // being computed, read by nobody
	Live     = "live"     // what the views show
	Retired  = "retired"  // was live before another, and can be again
	Dropped  = "dropped"  // its rows are gone
)

// NoGeneration is the number of rows that belong to no generation and are shown with each: dead letters of raw topics.
const NoGeneration uint16 = 65535

// OfGeneration returns a client over the same connections that writes and loads the rows of another generation.
func (c *Client) OfGeneration(n uint16) *Client {
	other := *c
	other.generation, other.openings = n, &openings{}
	return &other
}

// LiveGeneration returns the generation that the views show.
func (c *Client) LiveGeneration(ctx context.Context) (n uint16, err error) {
	err = c.conn.QueryRow(c.LoadContext(ctx), "SELECT argMax(generation, at) FROM generations WHERE state = 'live'").Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("read which generation is live: %w", err)
	}
	return n, nil
}

// Generations lists every generation there has been, by number.
func (c *Client) Generations(ctx context.Context) ([]Generation, error) {
	live, err := c.LiveGeneration(ctx)
	if err != nil {
		return nil, err
	}
	var all []Generation
	err = Each(c.LoadContext(ctx), c.conn, `
SELECT g.generation, g.last.1, g.last.2, if(empty(p.catalogue), g.last.3, p.catalogue)
FROM (SELECT generation, argMax((toString(state), at, catalogue), (at, state)) AS last FROM generations GROUP BY generation) AS g
LEFT JOIN (SELECT generation, argMax(catalogue, (log_time, offset)) AS catalogue FROM checkpoints_all GROUP BY generation) AS p ON p.generation = g.generation
ORDER BY g.generation
SETTINGS join_use_nulls = 0`, func(rows driver.Rows) error {
		var g Generation
		err := rows.Scan(&g.Number, &g.State, &g.Since, &g.Catalogue)
		if g.Number != live && g.State == Live {
			g.State = Retired
		}
		all = append(all, g)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list the generations: %w", err)
	}
	return all, nil
}

// MarkGeneration makes a generation Building, Live or Dropped. To make one Live is the switch: one row, after which every
// query that begins sees all of it and nothing of the one before, which is Retired then.
func (c *Client) MarkGeneration(ctx context.Context, n uint16, state, catalogue string) error {
	const insert = `INSERT INTO generations (generation, state, catalogue, at)
SELECT {generation:UInt16}, {state:String}, {catalogue:String}, greatest(now64(3), max(at) + toIntervalMillisecond(1)) FROM generations`
	err := c.conn.Exec(c.InsertContext(ctx), insert, clickhouse.Named("generation", int64(n)), clickhouse.Named("state", state),
		clickhouse.Named("catalogue", catalogue))
	if err != nil {
		return fmt.Errorf("mark generation %d as %s: %w", n, state, err)
	}
	return nil
}

// SwitchTo makes the client's generation live in place of another, unless that one has folded more of some source: then
// false, and nothing has changed. So readers see no number go back, unless the other writes while the query
// decides: what it wrote then may be lacking until the client's next flush.
// sources are those that there are still logs of.
func (c *Client) SwitchTo(ctx context.Context, catalogue string, from uint16, sources []string) (bool, error) {
	const insert = `INSERT INTO generations (generation, state, catalogue, at)
SELECT {generation:UInt16}, 'live', {catalogue:String}, greatest(now64(3), max(at) + toIntervalMillisecond(1)) FROM generations
HAVING (
	SELECT count() FROM (
		SELECT source, maxIf(next, generation = {from:UInt16}) AS old, maxIf(next, generation = {generation:UInt16}) AS new FROM (
			SELECT source, generation, max(offset) AS next FROM checkpoints_all
			WHERE generation IN ({from:UInt16}, {generation:UInt16}) GROUP BY source, generation
			UNION ALL
			SELECT source, generation, max(applied_offset) + 1 AS next FROM counters_all
			WHERE generation = {from:UInt16} AND tier = 'day' AND window_start >= now() - toIntervalDay(2) GROUP BY source, generation)
		WHERE has({sources:Array(String)}, source) GROUP BY source)
	WHERE new < old) = 0`
	if err := c.conn.Exec(c.InsertContext(c.LoadContext(ctx)), insert, c.named(), clickhouse.Named("catalogue", catalogue),
		clickhouse.Named("from", int64(from)), clickhouse.Named("sources", sources)); err != nil {
		return false, fmt.Errorf("switch from generation %d to %d: %w", from, c.generation, err)
	}
	live, err := c.LiveGeneration(ctx)
	return live == c.generation, err
}

// Sources lists the sources that the client's generation has checkpoints of.
func (c *Client) Sources(ctx context.Context) (all []string, err error) {
	err = c.conn.QueryRow(c.LoadContext(ctx), "SELECT groupUniqArray(toString(source)) FROM checkpoints_all WHERE generation = {generation:UInt16}", c.named()).Scan(&all)
	if err != nil {
		return nil, fmt.Errorf("list the sources of generation %d: %w", c.generation, err)
	}
	return all, nil
}
