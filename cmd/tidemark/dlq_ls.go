package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"text/tabwriter"
	"time"

	"tidemark/pipeline/deadletters"
)

type dlqLsCmd struct {
	dlqFilter
	Settled bool `help:"Also those that were redriven or dropped."`
	Limit   int  `default:"20" help:"How many letters to list, the latest first (${default})."`
	JSON    bool `name:"json" help:"Print JSON."`
}

// dlqGroup is what is wrong with letters of one kind.
type dlqGroup struct {
	Topic    string    `json:"topic"`
	Reason   string    `json:"reason"`
	Field    string    `json:"field,omitempty"`
	Producer string    `json:"producer,omitempty"`
	State    string    `json:"state"`
	Records  int       `json:"records"`
	First    time.Time `json:"first_found_at"`
	Last     time.Time `json:"last_found_at"`
}

// dlqLetter is a letter in a list.
type dlqLetter struct {
	ID     string    `json:"id"`
	Reason string    `json:"reason"`
	Detail string    `json:"detail"`
	Field  string    `json:"field,omitempty"`
	Key    string    `json:"key"`
	At     time.Time `json:"at"`
	Found  time.Time `json:"found_at"`
	State  string    `json:"state"`
	By     string    `json:"by,omitempty"`
	Origin string    `json:"redriven_from,omitempty"`
}

// Run lists dead letters.
func (c *dlqLsCmd) Run(ctx context.Context, g *globals) error {
	cfg, err := g.load()
	if err != nil {
		return err
	}
	f, err := c.filter(time.Now())
	if err != nil {
		return err
	}
	box, err := deadLetterBox(&cfg)
	if err != nil {
		return err
	}
	groups := map[dlqGroup]*dlqGroup{}
	latest := []dlqLetter{}
	err = box.Each(ctx, f, func(l *deadletters.Letter, s deadletters.Standing) error {
		if s.State != deadletters.Open && !c.Settled {
			return nil
		}
		of := dlqGroup{Topic: l.Topic, Reason: l.Reason, Field: l.Field, Producer: l.Producer, State: s.State}
		group := groups[of]
		if group == nil {
			group = &of
			groups[of] = group
			group.First = l.Found.UTC()
		}
		group.Records++
		group.Last = l.Found.UTC()
		if latest = append(latest, dlqLetter{l.ID.String(), l.Reason, l.Detail, l.Field, string(l.Key), l.At, l.Found.UTC(), s.State, s.By, l.Origin}); len(latest) > 2*c.Limit {
			latest = slices.Delete(latest, 0, len(latest)-c.Limit)
		}
		return nil
	})
	if err != nil {
		return err
	}
	slices.Reverse(latest)
	return c.print(g, groups, latest[:min(len(latest), c.Limit)])
}

func (c *dlqLsCmd) print(g *globals, groups map[dlqGroup]*dlqGroup, latest []dlqLetter) error {
	all := []dlqGroup{}
	for _, group := range groups {
		all = append(all, *group)
	}
	slices.SortFunc(all, func(a, b dlqGroup) int {
		return cmp.Or(cmp.Compare(b.Records, a.Records), cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Field, b.Field), cmp.Compare(a.Producer, b.Producer), cmp.Compare(a.State, b.State))
	})
	if c.JSON {
		return json.NewEncoder(g.stdout).Encode(map[string]any{"groups": all, "letters": latest})
	}
	w := tabwriter.NewWriter(g.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "TOPIC\tREASON\tFIELD\tPRODUCER\tSTATE\tRECORDS\tFIRST FOUND\tLAST FOUND")
	for _, group := range all {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%d\t%s\t%s\n", group.Topic, group.Reason, cmp.Or(group.Field, "-"), cmp.Or(group.Producer, "-"), group.State, group.Records, instant(&group.First), instant(&group.Last))
	}
	fmt.Fprintln(w, "\t\t\t\t\t\t\t")
	fmt.Fprintln(w, "LETTER\tSTATE\tREASON\tKEY\tAT\tDETAIL")
	for _, l := range latest {
		fmt.Fprintf(w, "%s\t%s\t%s\t%.40q\t%s\t%s\n", l.ID, l.State, l.Reason, l.Key, instant(&l.At), l.Detail)
	}
	return w.Flush()
}
