package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"time"

	"tidemark/pipeline/accountimport"
)

type importAccountsCmd struct {
	Files  []string `arg:"" name:"file" help:"CSV files with a header (.csv), or a JSON object a line; - is standard input, as JSON lines."`
	DryRun bool     `help:"Say what would change, and write nothing."`
	Diff   bool     `help:"Show each attribute that changes."`
}

// Run compares the files with the accounts topic and writes what differs.
func (i *importAccountsCmd) Run(ctx context.Context, g *globals) error {
	cfg, err := g.load()
	if err != nil {
		return err
	}
	opts, err := kafkaOptions(&cfg.Kafka)
	if err != nil {
		return err
	}
	accounts, err := i.read()
	if err != nil {
		return errors.Join(err, errors.New("nothing was imported: mend the rows above"))
	}
	topic := cfg.Kafka.Topics.Accounts
	reading, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	dimension, err := accountimport.ReadDimension(reading, opts, topic)
	if err != nil {
		return err
	}
	changes := dimension.Diff(accounts, time.Now())
	added := 0
	for _, c := range changes {
		if c.New {
			added++
		}
		if i.Diff || i.DryRun {
			printChange(g.stdout, c)
		}
	}
	if !i.DryRun {
		err := accountimport.Write(ctx, opts, topic, changes, func(written int) {
			fmt.Fprintf(g.stderr, "%d of %d written\n", written, len(changes))
		})
		if err != nil {
			return err
		}
	}
	verb := "imported"
	if i.DryRun {
		verb = "would be imported"
	}
	fmt.Fprintf(g.stdout, "%d rows: %d accounts %s, %d of them new\n", len(accounts), len(changes), verb, added)
	return nil
}

func (i *importAccountsCmd) read() ([]accountimport.Account, error) {
	var all []accountimport.Account
	var errs []error
	for _, name := range i.Files {
		var from io.ReadCloser = os.Stdin
		if name != "-" {
			file, err := os.Open(name)
			if err != nil {
				errs = append(errs, err)
				continue
			}
			from = file
		}
		accounts, err := accountimport.Read(name, from)
		all, errs = append(all, accounts...), append(errs, err, from.Close())
	}
	return all, errors.Join(errs...)
}

func printChange(w io.Writer, c accountimport.Change) {
	mark := "~"
	if c.New {
		mark = "+"
	}
	fmt.Fprintf(w, "%s %s\n", mark, c.ID)
	for _, name := range slices.Sorted(maps.Keys(c.Changes)) {
		fmt.Fprintf(w, "    %s: %q -> %q\n", name, c.Changes[name][0], c.Changes[name][1])
	}
}
