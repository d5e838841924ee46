package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"tidemark/pipeline/deadletters"
)

type dlqShowCmd struct {
	IDs []string `arg:"" name:"id" help:"Letters, by topic/partition:offset of their records, as tidemark dlq ls shows them."`
}

// Run shows letters whole.
func (c *dlqShowCmd) Run(ctx context.Context, g *globals) error {
	cfg, err := g.load()
	if err != nil {
		return err
	}
	box, err := deadLetterBox(&cfg)
	if err != nil {
		return err
	}
	found := false
	err = box.Each(ctx, &deadletters.Filter{IDs: c.IDs}, func(l *deadletters.Letter, s deadletters.Standing) error {
		found = true
		showLetter(g.stdout, l, s)
		return nil
	})
	if err == nil && !found {
		err = fmt.Errorf("there is no dead letter %s; tidemark dlq ls lists them", strings.Join(c.IDs, ", "))
	}
	return err
}

func showLetter(w io.Writer, l *deadletters.Letter, s deadletters.Standing) {
	fmt.Fprintf(w, "%s\n  reason  %s: %s\n", l.ID, l.Reason, l.Detail)
	if l.Field != "" {
		fmt.Fprintf(w, "  field   %s\n", l.Field)
	}
	state := s.State
	if s.State != deadletters.Open {
		state += fmt.Sprintf(" by %s at %s", s.By, instant(&s.At))
	}
	if l.Origin != "" {
		state += ", redriven before as " + l.Origin
	}
	fmt.Fprintf(w, "  state   %s\n  at      %s, found %s\n  key     %q\n", state, l.At.Format(time.RFC3339Nano), instant(&l.Found), l.Key)
	for _, h := range l.Headers {
		fmt.Fprintf(w, "  header  %s: %q\n", h.Key, h.Value)
	}
	var text bytes.Buffer
	switch {
	case l.Cut:
		fmt.Fprintf(w, "  value   %q, and more that was cut\n", l.Value)
	case json.Indent(&text, l.Value, "  ", "  ") == nil && utf8.Valid(l.Value):
		fmt.Fprintf(w, "  %s\n", text.String())
	default:
		fmt.Fprintf(w, "  value   %q\n", l.Value)
	}
}
