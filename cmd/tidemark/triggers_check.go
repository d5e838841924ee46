package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"tidemark/internal/config"
	"tidemark/internal/preflight"
	"tidemark/schemas"
	"tidemark/schemas/rules"
)

type triggersCheckCmd struct {
	Files []string `arg:"" optional:"" name:"file" type:"existingfile" help:"Files of rules; without any, those of triggers.rules."`
	Rule  string   `placeholder:"NAME" help:"Show this rule only."`

	Schema bool `help:"Only print the JSON Schema of a file of rules, from which editors complete."`
}

// Run shows each rule: what it reads, and whether it fires early or at the watermark, and why.
func (c *triggersCheckCmd) Run(_ context.Context, g *globals) error {
	if c.Schema {
		_, err := g.stdout.Write(rules.JSONSchema)
		return err
	}
	cfg, err := g.load()
	if err != nil {
		return err
	}
	all, err := rulesOf(&cfg, c.Files)
	if err != nil {
		return err
	}
	if c.Rule != "" {
		r, err := findRule(all, c.Rule)
		if err != nil {
			return err
		}
		all = []*rules.Rule{r}
	}
	for _, r := range all {
		showRule(g.stdout, r)
	}
	_, err = fmt.Fprintf(g.stdout, "%s, no mistake found.\n", preflight.Count(len(all), "rule"))
	return err
}

// rulesOf reads the rules of some files, or without any those of the configuration.
func rulesOf(cfg *config.Config, files []string) ([]*rules.Rule, error) {
	own := *cfg
	if len(files) > 0 {
		own.Triggers.Rules = files
	}
	return loadRules(&own)
}

func findRule(all []*rules.Rule, name string) (*rules.Rule, error) {
	var names []string
	for _, r := range all {
		if r.Name == name {
			return r, nil
		}
		names = append(names, r.Name)
	}
	return nil, fmt.Errorf("there is no rule %q%s", name, schemas.Suggest(name, names))
}

func showRule(out io.Writer, r *rules.Rule) {
	fmt.Fprintf(out, "%s (%s): %s\n", r.Name, r.Pos, r.Description)
	fmt.Fprintf(out, "  fires    %s: %s\n", r.Fires, r.Reason)
	fmt.Fprintf(out, "  when     %s\n", strings.Join(strings.Fields(r.When.Source), " "))
	for _, more := range []struct {
		key string
		c   *rules.Condition
	}{{"clear", r.ClearWhen}, {"minimum", r.Minimum}, {"value", r.Value}} {
		if more.c != nil {
			fmt.Fprintf(out, "  %-8s %s\n", more.key, more.c.Source)
		}
	}
	var reads []string
	seen := map[string]bool{}
	for _, c := range r.Conditions() {
		for _, in := range c.Inputs() {
			if name := in.String(); !seen[name] {
				seen[name] = true
				reads = append(reads, name)
			}
		}
	}
	fmt.Fprintf(out, "  reads    %s\n", strings.Join(reads, ", "))
	if len(r.Levels) > 0 {
		fmt.Fprintf(out, "  levels   %v\n", r.Levels)
	}
	fmt.Fprintf(out, "  then     %s, by %s\n\n", r.Playbook, r.Owner)
}

// checkRules is the part of tidemark check about rules.
func checkRules(cfg *config.Config) preflight.Finding {
	f := preflight.Finding{Level: preflight.OK, Subject: "rules"}
	all, err := loadRules(cfg)
	if err != nil {
		f.Level, f.Text, f.Fix = preflight.Error, err.Error(), "correct the files that triggers.rules names; tidemark triggers check shows every rule"
		return f
	}
	early := 0
	for _, r := range all {
		if r.Fires == rules.Monotone {
			early++
		}
	}
	f.Text = fmt.Sprintf("%s, of which %d may fire before their windows are over", preflight.Count(len(all), "rule"), early)
	return f
}
