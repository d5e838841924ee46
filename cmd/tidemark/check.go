package main

import (
	"context"
	"fmt"

	"tidemark/internal/config"
)

type checkCmd struct {
	Example bool `help:"Only print a configuration file that has every key with its default, to start from."`
}

// Run loads the configuration; its error has a line for each thing that is wrong.
func (c *checkCmd) Run(_ context.Context, g *globals) error {
	if c.Example {
		_, err := g.stdout.Write(config.Example())
		return err
	}
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
