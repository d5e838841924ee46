package main

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/internal/config"
	"tidemark/schemas"
	"tidemark/sinks/clickhouse/migrate"
	"tidemark/sinks/kafka/topics"
)

type migrateCmd struct {
	SkipTopics  bool `help:"Leave Kafka's topics alone."`
	PrintGrants bool `help:"Only print the SQL by which an administrator prepares a ClickHouse server: database, accounts, rights."`
	PrintACLs   bool `name:"print-acls" help:"Only print the commands by which an administrator of Kafka grants each process what it needs."`
}

// Run creates what is missing: topics in Kafka, tables and views in ClickHouse.
func (m *migrateCmd) Run(ctx context.Context, g *globals) error {
	cfg, err := g.load()
	if err != nil {
		return err
	}
	if m.PrintACLs {
		return printRights(g.stdout, &cfg)
	}
	if m.PrintGrants {
		c := cfg.ClickHouse
		grants, err := migrate.RoleGrants(migrate.Accounts{
			Database: c.Database, Migrator: c.Migrator.User, Writer: c.Writer.User, Reader: c.Reader.User, Eraser: c.Eraser.User,
			Tenants: slices.Sorted(maps.Keys(c.Tenants)),
		})
		if err == nil {
			_, err = fmt.Fprint(g.stdout, grants)
		}
		return err
	}
	if !m.SkipTopics {
		report, err := ensureTopics(ctx, &cfg.Kafka)
		if err != nil {
			return err
		}
		for _, name := range report.Missing {
			fmt.Fprintf(g.stdout, "topic %s: created\n", name)
		}
		for _, d := range report.Differences {
			fmt.Fprintf(g.stdout, "topic %s: left as it is, though not as declared\n", d)
		}
	}
	if err := announceCatalogue(ctx, g, &cfg); err != nil {
		return err
	}
	if err := migrateUp(ctx, &cfg); err != nil {
		return err
	}
	_, err = fmt.Fprintln(g.stdout, "ClickHouse: up to date")
	return err
}

// announceCatalogue shows what the views will be made of anew, before they are.
func announceCatalogue(ctx context.Context, g *globals, cfg *config.Config) error {
	to, err := schemas.Load(cfg.Pipeline.Catalogue)
	if err != nil {
		return err
	}
	from, _, err := lastCatalogue(ctx, cfg)
	if err != nil {
		fmt.Fprintf(g.stdout, "catalogue: cannot be compared with the last one: %v\n", err)
		return nil
	}
	if from == nil || len(schemas.Diff(from, to)) == 0 {
		return nil
	}
	fmt.Fprintln(g.stdout, "catalogue: what changes since the last tidemark migrate:")
	return showDiff(g.stdout, from, to)
}

func ensureTopics(ctx context.Context, k *config.Kafka) (topics.Report, error) {
	opts, err := kafkaOptions(k)
	if err != nil {
		return topics.Report{}, err
	}
	client, err := kgo.NewClient(opts...)
	if err != nil {
		return topics.Report{}, fmt.Errorf("connect to Kafka: %w", err)
	}
	defer client.Close()
	return topics.Ensure(ctx, client, declaredTopics(k))
}

func migrateUp(ctx context.Context, cfg *config.Config) error {
	db, err := migratorDB(&cfg.ClickHouse)
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // nothing is left to lose
	options, err := migrateOptions(cfg)
	if err != nil {
		return err
	}
	return migrate.Up(ctx, db, options)
}
