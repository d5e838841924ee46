package main

import (
	"context"
	"fmt"
	"time"

	"tidemark/internal/config"
	"tidemark/pipeline/deadletters"
	"tidemark/pipeline/worker"
)

type dlqRedriveCmd struct {
	dlqSelection
	signature
	Transform string `type:"existingfile" placeholder:"FILE" help:"Change the records as this YAML file declares."`
	DryRun    bool   `help:"Say what would be sent and how it would differ, and send nothing."`
	Show      int    `default:"10" help:"How many records a dry run shows (${default})."`
	Rate      int    `default:"1000" help:"Records a second at most (${default}); 0: no limit."`
}

// Run has dead letters counted after all.
func (c *dlqRedriveCmd) Run(ctx context.Context, g *globals) error {
	cfg, err := g.load()
	if err != nil {
		return err
	}
	f, err := c.chosen(time.Now())
	if err != nil {
		return err
	}
	if c.Rate < 0 {
		return fmt.Errorf("--rate is %d; give records a second, or 0 for no limit", c.Rate)
	}
	r, err := redriver(&cfg, c.person())
	if err != nil {
		return err
	}
	r.Rate, r.DryRun = c.Rate, c.DryRun
	if r.Judge, err = judge(&cfg); err != nil {
		return err
	}
	if c.Transform != "" {
		if r.Transform, err = deadletters.LoadTransform(c.Transform); err != nil {
			return err
		}
	}
	told, shown := time.Now(), 0
	sent := 0
	r.Tell = func(p deadletters.Plan) {
		if p.Fate == deadletters.Sent {
			sent++
		}
		switch {
		case c.DryRun && p.Fate != deadletters.Settled && shown < c.Show:
			shown++
			showPlan(g, &p)
		case !c.DryRun && time.Since(told) > 5*time.Second:
			told = time.Now()
			fmt.Fprintf(g.stderr, "%d sent\n", sent)
		}
	}
	fates, err := r.Run(ctx, f)
	c.summary(g, fates)
	return err
}

// judge knows what the pipeline of the configuration takes.
func judge(cfg *config.Config) (deadletters.Judge, error) {
	p, err := pipelineConfig(cfg, nil)
	if err != nil {
		return deadletters.Judge{}, err
	}
	contents := map[string]worker.Content{}
	for _, t := range p.Topics {
		contents[t.Name] = t.Content
	}
	return deadletters.Judge{Contents: contents, Program: p.Program, Limits: p.Limits}, nil
}

func showPlan(g *globals, p *deadletters.Plan) {
	fmt.Fprintf(g.stdout, "%s  %s: %s\n", p.ID, p.Reason, p.Detail)
	if p.Value != nil {
		if string(p.Key) != string(p.Letter.Key) {
			fmt.Fprintf(g.stdout, "  - key: %q\n  + key: %q\n", p.Letter.Key, p.Key)
		}
		for _, line := range deadletters.Diff(p.Letter.Value, p.Value) {
			fmt.Fprintf(g.stdout, "  %s\n", line)
		}
	}
	if p.Fate == deadletters.Sent {
		fmt.Fprintf(g.stdout, "  would be sent, as of %s\n", p.At.Format(time.RFC3339Nano))
	} else {
		fmt.Fprintf(g.stdout, "  would be left alone: %s\n", p.Why)
	}
}

func (c *dlqRedriveCmd) summary(g *globals, fates deadletters.Fates) {
	verb := "redriven"
	if c.DryRun {
		verb = "would be redriven"
	}
	fmt.Fprintf(g.stdout, "%d %s\n", fates[deadletters.Sent], verb)
	for _, left := range []struct {
		fate deadletters.Fate
		why  string
	}{
		{deadletters.Settled, "were redriven or dropped before"}, {deadletters.Refused, "left alone: they would be refused again (a dry run says why)"},
		{deadletters.Unmeant, "left alone: the transform's condition does not hold"}, {deadletters.Unusable, "left alone: they cannot be sent, or not be transformed (a dry run says why)"},
	} {
		if n := fates[left.fate]; n > 0 {
			fmt.Fprintf(g.stdout, "%d %s\n", n, left.why)
		}
	}
}
