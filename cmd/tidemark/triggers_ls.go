package main

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	store "tidemark/sinks/clickhouse"
)

type triggersLsCmd struct {
	Rule     string `help:"Only of this rule."`
	Account  string `help:"Only of this account."`
	Silences bool   `help:"List the silences instead."`
}

// Run lists the alerts that are firing now, or the silences.
func (c *triggersLsCmd) Run(ctx context.Context, g *globals) error {
	cfg, err := g.load()
	if err != nil {
		return err
	}
	client, err := clickhouseClient(&cfg.ClickHouse, cfg.ClickHouse.Reader)
	if err != nil {
		return err
	}
	defer client.Close() //nolint:errcheck // it only reads
	out := tabwriter.NewWriter(g.stdout, 0, 0, 2, ' ', 0)
	if c.Silences {
		err = listSilences(ctx, client, out)
	} else {
		err = c.list(ctx, client, out)
	}
	if err != nil {
		return err
	}
	return out.Flush()
}

func (c *triggersLsCmd) list(ctx context.Context, client *store.Client, out *tabwriter.Writer) error {
	fmt.Fprintln(out, "ALERT\tRULE\tACCOUNT\tSEVERITY\tLEVEL\tVALUE\tFIRED\tPLAYBOOK")
	const query = `SELECT alert_id, rule, account_id, severity, level, ifNull(toString(value), '-'), fired_known_at, playbook FROM alerts
WHERE ({rule:String} = '' OR rule = {rule:String}) AND ({account:String} = '' OR account_id = {account:String}) ORDER BY fired_known_at DESC, alert_id`
	err := store.Each(ctx, client.Conn(), query, func(rows driver.Rows) error {
		var id, rule, account, severity, value, playbook string
		var level uint16
		var fired time.Time
		if err := rows.Scan(&id, &rule, &account, &severity, &level, &value, &fired, &playbook); err != nil {
			return err
		}
		fmt.Fprintf(out, "%s\t%s\t%s\t%s\t%d\t%s\t%s\t%s\n", id, rule, account, severity, level, value, fired.UTC().Format(time.RFC3339), playbook)
		return nil
	}, clickhouse.Named("rule", c.Rule), clickhouse.Named("account", c.Account))
	if err != nil {
		return fmt.Errorf("read the alerts: %w", err)
	}
	return nil
}

func listSilences(ctx context.Context, client *store.Client, out *tabwriter.Writer) error {
	fmt.Fprintln(out, "SILENCE\tRULE\tACCOUNT\tFROM\tUNTIL\tBY\tREASON")
	const query = "SELECT id, rule, account_id, starts_at, ends_at, created_by, reason FROM alert_silences WHERE ends_at > now64(3) ORDER BY starts_at, id"
	err := store.Each(ctx, client.Conn(), query, func(rows driver.Rows) error {
		var id, rule, account, by, reason string
		var from, to time.Time
		if err := rows.Scan(&id, &rule, &account, &from, &to, &by, &reason); err != nil {
			return err
		}
		fmt.Fprintf(out, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", id, orAny(rule), orAny(account), from.UTC().Format(time.RFC3339), to.UTC().Format(time.RFC3339), by, reason)
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the silences: %w", err)
	}
	return nil
}

func orAny(name string) string {
	if name == "" {
		return "any"
	}
	return name
}
