package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"text/tabwriter"
	"time"

	"tidemark/internal/config"
	"tidemark/schemas"
	"tidemark/sinks/clickhouse"
	"tidemark/sinks/notify"
)

type deliveriesCmd struct {
	Ls      deliveriesLsCmd      `cmd:"" help:"Show how targets fare, and what was delivered, waits or is dead."`
	Redrive deliveriesRedriveCmd `cmd:"" help:"Send dead deliveries again, under the same ids; with --target also one that said that it is gone."`
	Drop    deliveriesDropCmd    `cmd:"" help:"Take out deliveries that are of no use any more."`
}

// deliveryTimeout bounds a look at ClickHouse, or a change there.
const deliveryTimeout = time.Minute

type deliveriesLsCmd struct {
	ID      string   `arg:"" optional:"" help:"Only this message, transition or alert."`
	Target  string   `placeholder:"NAME" help:"Only this target."`
	Account string   `placeholder:"ID" help:"Only this account."`
	Rule    string   `placeholder:"NAME" help:"Only this rule."`
	Outcome []string `enum:"waiting,quiet,pending,delivered,dead,skipped,dropped" help:"Only these: waiting, quiet, pending, delivered, dead, skipped or dropped."`
	Limit   int      `default:"50" help:"How many, the latest first (${default})."`
	JSON    bool     `name:"json" help:"Print JSON."`
}

// Run lists deliveries.
func (l *deliveriesLsCmd) Run(ctx context.Context, g *globals) error {
	return withDeliveries(ctx, g, false, func(ctx context.Context, _ *config.Config, store *clickhouse.Client) error {
		fares, err := notify.Fares(ctx, store.Conn())
		if err != nil {
			return err
		}
		all, err := notify.List(ctx, store.Conn(), notify.Filter{
			Selection: notify.Selection{Target: l.Target, ID: l.ID}, Account: l.Account, Rule: l.Rule, Outcomes: l.Outcome, Limit: l.Limit,
		})
		if err != nil {
			return err
		}
		if l.JSON {
			return json.NewEncoder(g.stdout).Encode(map[string]any{"targets": orEmpty(fares), "deliveries": orEmpty(all)})
		}
		return printDeliveries(g, fares, all)
	})
}

func orEmpty[T any](all []T) []T {
	if all == nil {
		return []T{}
	}
	return all
}

func printDeliveries(g *globals, fares []notify.Fare, all []notify.Delivery) error {
	w := tabwriter.NewWriter(g.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "TARGET\tDELIVERED\tWAITING\tOLDEST\tDEAD\tSTATE")
	for _, f := range fares {
		state := "enabled"
		if f.Disabled {
			state = "disabled: " + f.Reason
		}
		fmt.Fprintf(w, "%s\t%d\t%d\t%s\t%d\t%s\n", f.Target, f.Delivered, f.Waiting, instant(f.OldestWaiting), f.Dead, state)
	}
	fmt.Fprintln(w, "\t\t\t\t\t")
	fmt.Fprintln(w, "KNOWN\tTARGET\tID\tKIND\tRULE\tACCOUNT\tOUTCOME\tATTEMPTS\tNEXT\tDETAIL")
	for _, d := range all {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d\t%s\t%s\n", instant(&d.KnownAt), d.Target, d.ID, d.Kind, d.Rule, d.Account, d.Outcome, d.Attempts, instant(d.NextAt), d.Detail)
	}
	return w.Flush()
}

func instant(at *time.Time) string {
	if at == nil {
		return "-"
	}
	return at.UTC().Format(time.RFC3339)
}

// selection is what redrive and drop work on. All has to be said in so many words.
type selection struct {
	ID     string `arg:"" optional:"" help:"A message, a transition, or an alert; of a digest, all that is in it goes along."`
	Target string `placeholder:"NAME" help:"Only this target."`
	All    bool   `help:"All there are, of every target."`
}

func (s *selection) chosen() (notify.Selection, error) {
	if (s.ID != "" || s.Target != "") == s.All {
		return notify.Selection{}, errors.New("say which deliveries: an id, --target NAME, or --all")
	}
	return notify.Selection{Target: s.Target, ID: s.ID}, nil
}

type deliveriesRedriveCmd struct {
	selection
}

// Run has dead deliveries sent again.
func (r *deliveriesRedriveCmd) Run(ctx context.Context, g *globals) error {
	sel, err := r.chosen()
	if err != nil {
		return err
	}
	return withDeliveries(ctx, g, true, func(ctx context.Context, _ *config.Config, store *clickhouse.Client) error {
		done, err := notify.Redrive(ctx, store, sel, time.Now())
		if err != nil {
			return err
		}
		fmt.Fprintf(g.stdout, "%d redriven: tidemark triggers run sends them within a minute\n", done.Redriven)
		if done.Outdated > 0 {
			fmt.Fprintf(g.stdout, "%d left alone: a later state of their alerts has arrived; take them out with drop\n", done.Outdated)
		}
		return nil
	})
}

type deliveriesDropCmd struct {
	selection
	signature
}

// Run takes deliveries out.
func (d *deliveriesDropCmd) Run(ctx context.Context, g *globals) error {
	sel, err := d.chosen()
	if err != nil {
		return err
	}
	return withDeliveries(ctx, g, true, func(ctx context.Context, _ *config.Config, store *clickhouse.Client) error {
		n, err := notify.Drop(ctx, store, sel, d.person(), time.Now())
		if err != nil {
			return err
		}
		fmt.Fprintf(g.stdout, "%d dropped\n", n)
		return nil
	})
}

// withDeliveries connects, as the writer or as the reader.
func withDeliveries(ctx context.Context, g *globals, write bool, do func(context.Context, *config.Config, *clickhouse.Client) error) error {
	cfg, err := g.load()
	if err != nil {
		return err
	}
	login := cfg.ClickHouse.Reader
	if write {
		login = cfg.ClickHouse.Writer
	}
	store, err := clickhouseClient(&cfg.ClickHouse, login)
	if err != nil {
		return err
	}
	defer store.Close() //nolint:errcheck // the process ends
	ctx, cancel := context.WithTimeout(ctx, deliveryTimeout)
	defer cancel()
	return do(ctx, &cfg, store)
}

type sendTestCmd struct {
	Target string `arg:"" help:"Name of the target in triggers.targets."`
}

// Run sends a made-up alert.
func (s *sendTestCmd) Run(ctx context.Context, g *globals) error {
	cfg, err := g.load()
	if err != nil {
		return err
	}
	log, err := g.logger(cfg.Log)
	if err != nil {
		return err
	}
	target, ok := cfg.Triggers.Targets[s.Target]
	if !ok {
		names := slices.Sorted(maps.Keys(cfg.Triggers.Targets))
		return fmt.Errorf("triggers.targets has no %s%s", s.Target, schemas.Suggest(s.Target, names))
	}
	kafka, err := kafkaOptions(&cfg.Kafka)
	if err != nil {
		return err
	}
	id, r, err := notify.Probe(ctx, s.Target, target, kafka, log, time.Now())
	if err != nil {
		return err
	}
	if r.Outcome != notify.Delivered {
		return fmt.Errorf("%s: %s: %s", s.Target, r.Outcome, r.Detail)
	}
	fmt.Fprintf(g.stdout, "%s has taken the message %s\n", s.Target, id)
	return nil
}
