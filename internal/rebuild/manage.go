package rebuild

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"tidemark/sinks/clickhouse"
	"tidemark/sinks/clickhouse/migrate"
)

// Back makes the generation live that was so before the live one, at once. Its group goes on where it stood then.
func Back(ctx context.Context, store *clickhouse.Client) (from, to clickhouse.Generation, err error) {
	all, err := store.Generations(ctx)
	if err != nil {
		return from, to, err
	}
	found := false
	for _, g := range all {
		switch {
		case g.State == clickhouse.Live:
			from = g
		case g.State == clickhouse.Retired && (!found || g.Since.After(to.Since)):
			to, found = g, true
		}
	}
	if !found {
		return from, to, fmt.Errorf("generation %d is live, and no other was that is still kept", from.Number)
	}
	return from, to, store.MarkGeneration(ctx, to.Number, clickhouse.Live, to.Catalogue)
}

// Drop removes a generation that is not live, with its consumer group. base is the group of generation 0.
func Drop(ctx context.Context, store *clickhouse.Client, db *sql.DB, admin *kadm.Client, base string, n uint16) error {
	all, err := store.Generations(ctx)
	if err != nil {
		return err
	}
	state := ""
	for _, g := range all {
		if g.Number == n {
			state = g.State
		}
	}
	switch state {
	case "":
		return fmt.Errorf("there is no generation %d; tidemark rebuild list shows them", n)
	case clickhouse.Live:
		return fmt.Errorf("generation %d is live: readers would see nothing", n)
	}
	group := Group(base, n)
	described, err := admin.DescribeGroups(ctx, group)
	if err != nil {
		return fmt.Errorf("describe the group %s: %w", group, err)
	}
	if members := len(described[group].Members); members > 0 {
		return fmt.Errorf("the group %s has %d members: end what works on generation %d first; a pipeline that has just moved on is forgotten "+
			"after kafka.session_timeout", group, members, n)
	}
	// Marked first: dropping may be cut short and run again, and nobody must go back to what is left.
	if err := store.MarkGeneration(ctx, n, clickhouse.Dropped, ""); err != nil {
		return err
	}
	if err := migrate.DropGeneration(ctx, db, n); err != nil {
		return err
	}
	if _, err := admin.DeleteGroup(ctx, group); err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return fmt.Errorf("delete the group %s: %w", group, err)
	}
	return nil
}
