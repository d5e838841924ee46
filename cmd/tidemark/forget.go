package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"tidemark/internal/forget"
)

// forgetCmd forgets an account or a user.
type forgetCmd struct {
	Account forgetAccountCmd `cmd:"" help:"Forget an account: all that was counted for it and is known of it."`
	User    forgetUserCmd    `cmd:"" help:"Forget a user of whichever account. Sums of the account stay, which name nobody."`
}

// forgetting is what both have.
type forgetting struct {
	ID      string        `arg:"" help:"Id of the account or user, as events have it."`
	Confirm string        `placeholder:"ID" help:"Do it: the id once more. Without it, say only what there is."`
	Settle  time.Duration `default:"30s" help:"How long running pipelines may take to hear of it."`
}

type forgetAccountCmd struct{ forgetting }

type forgetUserCmd struct {
	forgetting
	Anonymous bool `help:"The id is an anonymous one."`
}

// Run forgets an account, or shows what there is of it.
func (c *forgetAccountCmd) Run(ctx context.Context, g *globals) error {
	return c.run(ctx, g, forget.Who{ID: c.ID})
}

// Run forgets a user, or shows what there is.
func (c *forgetUserCmd) Run(ctx context.Context, g *globals) error {
	return c.run(ctx, g, forget.Who{ID: c.ID, User: true, Anonymous: c.Anonymous})
}

func (c *forgetting) run(ctx context.Context, g *globals, who forget.Who) error {
	if c.Confirm != "" && c.Confirm != c.ID {
		return fmt.Errorf("--confirm says %q, the id is %q: nothing was done", c.Confirm, c.ID)
	}
	cfg, err := g.load()
	if err != nil {
		return err
	}
	opts, err := kafkaOptions(&cfg.Kafka)
	if err != nil {
		return err
	}
	client, err := clickhouseClient(&cfg.ClickHouse, cfg.ClickHouse.Eraser)
	if err != nil {
		return err
	}
	defer client.Close() //nolint:errcheck // the process ends
	t := cfg.Kafka.Topics
	o := forget.Options{
		Kafka: opts, Topics: forget.Topics{Accounts: t.Accounts, Users: t.Users, Parked: t.Parked, Forgotten: t.Forgotten},
		Conn: client.Conn(), Quorum: cfg.ClickHouse.InsertQuorum != "", Settle: c.Settle,
		Tell: func(line string) { fmt.Fprintln(g.stderr, line) },
	}
	found, others, err := forget.Look(ctx, o, who)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(g.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "PLACE\tROWS\tHOW")
	total := uint64(0)
	for _, f := range found {
		fmt.Fprintf(w, "%s\t%d\t%s\n", f.Place, f.Rows, f.How)
		total += f.Rows
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if len(others) > 0 {
		fmt.Fprintf(g.stdout, "\nNot Tidemark's, and not looked into: %s.\n", strings.Join(others, ", "))
	}
	if c.Confirm == "" {
		fmt.Fprintf(g.stdout, "\n%d in all. Nothing was changed. To forget it for good: repeat with --confirm %s\n", total, c.ID)
		return nil
	}
	if err := forget.Run(ctx, o, who); err != nil {
		return err
	}
	fmt.Fprintf(g.stdout, "\nForgotten, here and in every replay. Until their retention ends the topics still hold what was sent: %s, %s and %s; tombstones take effect when Kafka compacts.\n",
		strings.Join(cfg.Kafka.Topics.Folded(), ", "), t.Parked, t.DeadLetters)
	return nil
}
