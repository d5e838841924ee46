package preflight

import (
	"context"
	"fmt"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"tidemark/sinks/clickhouse"
)

// ddl are the rights that only the migrator should have.
var ddl = []string{"CREATE TABLE", "CREATE VIEW", "ALTER TABLE", "ALTER VIEW", "DROP TABLE", "DROP VIEW", "TRUNCATE"}

// rights checks what each role may do, and may not.
func (c *ClickHouse) rights(ctx context.Context, f *findings, reached map[string]bool) {
	if reached[c.Migrator.Key] {
		c.must(ctx, f, c.Migrator, "create, alter and drop tables and views", append(c.onAll("SELECT", "INSERT"), c.onAll(ddl...)...))
	}
	if reached[c.Writer.Key] {
		c.must(ctx, f, c.Writer, "insert and read", c.onTables("SELECT", "INSERT"))
		c.mustNot(ctx, f, c.Writer, c.onAll(ddl...))
		c.insertNothing(ctx, f)
	}
	if reached[c.Reader.Key] {
		c.readViews(ctx, f)
		c.mustNot(ctx, f, c.Reader, append(c.onTables("INSERT"), c.onAll(ddl...)...))
	}
}

// onAll are rights on the whole database.
func (c *ClickHouse) onAll(rights ...string) []string {
	grants := make([]string, len(rights))
	for i, right := range rights {
		grants[i] = right + " ON " + c.Database + ".*"
	}
	return grants
}

// onTables are rights on each of the tables that the pipeline writes.
func (c *ClickHouse) onTables(rights ...string) []string {
	var grants []string
	for _, t := range rollupTables {
		for _, right := range rights {
			grants = append(grants, right+" ON "+c.Database+"."+t.name)
		}
	}
	return grants
}

// must checks that the role has every grant.
func (c *ClickHouse) must(ctx context.Context, f *findings, r Role, what string, grants []string) {
	missing, err := c.granted(ctx, r, grants, false)
	switch {
	case err != nil:
		f.error(r.Key, "", "ask for the rights of %s: %v", r.User, err)
	case len(missing) > 0:
		for _, grant := range missing {
			f.error(r.Key, "run GRANT "+grant+" TO "+r.User, "%s lacks the right %s", r.User, grant)
		}
	default:
		f.ok(r.Key, "%s may %s", r.User, what)
	}
}

// mustNot checks that the role has none of the grants. One too many works, but a leaked password then does more harm.
func (c *ClickHouse) mustNot(ctx context.Context, f *findings, r Role, grants []string) {
	excess, err := c.granted(ctx, r, grants, true)
	if err != nil {
		f.error(r.Key, "", "ask for the rights of %s: %v", r.User, err)
		return
	}
	if len(excess) > 0 {
		f.warning(r.Key, fmt.Sprintf("run REVOKE %s FROM %s, and the like", excess[0], r.User),
			"%s has %d rights that it does not need, such as %s", r.User, len(excess), excess[0])
	}
}

// granted returns those of the grants that the role has, or has not.
func (c *ClickHouse) granted(ctx context.Context, r Role, grants []string, has bool) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	var found []string
	for _, grant := range grants {
		var yes uint8
		if err := r.Client.Conn().QueryRow(ctx, "CHECK GRANT "+grant).Scan(&yes); err != nil {
			return nil, fmt.Errorf("CHECK GRANT %s: %w", grant, err)
		}
		if (yes == 1) == has {
			found = append(found, grant)
		}
	}
	return found, nil
}

// insertNothing inserts no rows in the way the pipeline inserts, so with the settings that it needs.
func (c *ClickHouse) insertNothing(ctx context.Context, f *findings) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	if err := c.Writer.Client.WriteProgress(ctx, &clickhouse.Progress{}); err != nil {
		f.error(c.Writer.Key, "", "an insert of no rows fails: %v", refused(err))
		return
	}
	f.ok(c.Writer.Key, "an insert with the pipeline's settings works")
}

// readViews checks the reader's rights on every view, and on the tables, as a view reads them with the rights of who asks.
// Whether ClickHouse would plan a query says the same, but takes seconds a view.
func (c *ClickHouse) readViews(ctx context.Context, f *findings) {
	limited, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	grants := c.onTables("SELECT")
	const query = "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine = 'View' ORDER BY name"
	views := 0
	err := clickhouse.Each(limited, c.Reader.Client.Conn(), query, func(rows driver.Rows) error {
		var name string
		err := rows.Scan(&name)
		grants = append(grants, "SELECT ON "+c.Database+".`"+name+"`")
		views++
		return err
	})
	switch {
	case err != nil:
		f.error(c.Reader.Key, "", "list the views: %v", err)
	case views == 0:
		f.error(c.Reader.Key, "run tidemark migrate, and GRANT SELECT ON "+c.Database+".* TO "+c.Reader.User, "%s sees no views", c.Reader.User)
	default:
		c.must(ctx, f, c.Reader, "read "+Count(views, "view"), grants)
	}
}
