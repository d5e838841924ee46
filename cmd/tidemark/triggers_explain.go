package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	store "tidemark/sinks/clickhouse"
)

type triggersExplainCmd struct {
	ID string `arg:"" help:"Id of an alert (al_...), or of one of its transitions (tr_...), as tidemark triggers ls and deliveries show them."`
}

// Run tells what became of an alert, and by what it was judged.
func (c *triggersExplainCmd) Run(ctx context.Context, g *globals) error {
	cfg, err := g.load()
	if err != nil {
		return err
	}
	client, err := clickhouseClient(&cfg.ClickHouse, cfg.ClickHouse.Reader)
	if err != nil {
		return err
	}
	defer client.Close() //nolint:errcheck // it only reads
	all, err := loadRules(&cfg)
	if err != nil {
		return err
	}
	const query = `SELECT id, alert_id, rule, account_id, episode, seq, kind, at, known_at, is_final, targets, evidence FROM alert_history
WHERE alert_id IN (SELECT alert_id FROM alert_history WHERE alert_id = {id:String} OR id = {id:String}) ORDER BY seq`
	found := false
	err = store.Each(ctx, client.Conn(), query, func(rows driver.Rows) error {
		var id, alert, rule, account, kind, evidence string
		var episode uint64
		var seq uint32
		var at, known time.Time
		var final bool
		var targets []string
		if err := rows.Scan(&id, &alert, &rule, &account, &episode, &seq, &kind, &at, &known, &final, &targets, &evidence); err != nil {
			return err
		}
		if !found {
			fmt.Fprintf(g.stdout, "Alert %s: rule %s, account %s, episode %d.\n", alert, rule, account, episode)
			for _, r := range all {
				if r.Name == rule {
					fmt.Fprintf(g.stdout, "%s\nFires %s: %s.\nWhen: %s\n", r.Description, r.Fires, strings.TrimSuffix(r.Reason, "."), r.When.Source)
				}
			}
		}
		found = true
		window := "a window that was not over"
		if final {
			window = "a complete window"
		}
		fmt.Fprintf(g.stdout, "\n%d. %s (%s), as of %s, known at %s, from %s; told to: %s\n", seq, kind, id,
			at.UTC().Format(time.RFC3339), known.UTC().Format(time.RFC3339Nano), window, strings.Join(targets, ", "))
		var text bytes.Buffer
		if err := json.Indent(&text, []byte(evidence), "   ", "  "); err != nil {
			return fmt.Errorf("evidence of %s: %w", id, err)
		}
		fmt.Fprintf(g.stdout, "   %s\n", text.String())
		return nil
	}, clickhouse.Named("id", c.ID))
	if err != nil {
		return fmt.Errorf("read the history of the alert: %w", err)
	}
	if !found {
		return fmt.Errorf("there is no alert or transition %s; tidemark triggers ls lists those that are firing, the view alert_history all", c.ID)
	}
	return nil
}
