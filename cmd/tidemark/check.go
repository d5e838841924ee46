package main

import (
	"context"
	"fmt"
)

type checkCmd struct{}

// Run loads the configuration; its error has a line for each thing that is wrong.
func (*checkCmd) Run(_ context.Context, g *globals) error {
	if _, err := g.load(); err != nil {
		return err
	}
	source := g.Config
	if source == "" {
		source = "the defaults and the environment"
	}
	_, err := fmt.Fprintf(g.stdout, "configuration: ok (%s)\n", source)
	return err
}
