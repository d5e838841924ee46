package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tidemark/pipeline/triggers"
	"tidemark/schemas"
)

type triggersSilenceCmd struct {
	Rule    string        `help:"Rule to silence; without it, every rule."`
	Account string        `help:"Account to silence; without it, every account."`
	For     time.Duration `default:"2h" help:"For how long (${default})."`
	Reason  string        `help:"Why."`
	signature
	End string `placeholder:"ID" help:"End this silence now, instead of making one."`
}

// Run makes a silence, or ends one.
func (c *triggersSilenceCmd) Run(ctx context.Context, g *globals) error {
	cfg, err := g.load()
	if err != nil {
		return err
	}
	client, err := clickhouseClient(&cfg.ClickHouse, cfg.ClickHouse.Writer)
	if err != nil {
		return err
	}
	defer client.Close() //nolint:errcheck // what it wrote is acknowledged
	now := time.Now()
	if c.End != "" {
		all, err := triggers.Silences(ctx, client)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(all, func(s triggers.Silence) bool { return s.ID == c.End })
		if i < 0 {
			return fmt.Errorf("there is no silence %s that is not over; tidemark triggers ls --silences lists them", c.End)
		}
		all[i].To = now
		if err := triggers.AddSilence(ctx, client, all[i]); err != nil {
			return err
		}
		fmt.Fprintf(g.stdout, "%s: ended\n", c.End)
		return nil
	}
	if err := c.check(func() ([]string, error) {
		all, err := loadRules(&cfg)
		var names []string
		for _, r := range all {
			names = append(names, r.Name)
		}
		return names, err
	}); err != nil {
		return err
	}
	s := triggers.Silence{ID: "si_" + strings.ToLower(rand.Text()[:12]), Rule: c.Rule, Account: c.Account, From: now, To: now.Add(c.For), Reason: c.Reason, By: c.person()}
	if err := triggers.AddSilence(ctx, client, s); err != nil {
		return err
	}
	fmt.Fprintf(g.stdout, "%s: nothing new is fired by %s on %s until %s\n", s.ID, orAny(s.Rule)+" rule", orAny(s.Account)+" account", s.To.UTC().Format(time.RFC3339))
	return nil
}

// check refuses what would silence nothing, or everything by mistake.
func (c *triggersSilenceCmd) check(names func() ([]string, error)) error {
	if c.Rule == "" && c.Account == "" {
		return errors.New("name a rule, an account, or both: --rule, --account")
	}
	if c.For <= 0 {
		return fmt.Errorf("--for is %s; give a time that is not over, such as 2h", c.For)
	}
	if c.Rule == "" {
		return nil
	}
	all, err := names()
	if err != nil {
		return err
	}
	if !slices.Contains(all, c.Rule) {
		return fmt.Errorf("there is no rule %q%s", c.Rule, schemas.Suggest(c.Rule, all))
	}
	return nil
}
