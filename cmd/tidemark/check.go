package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/internal/config"
	"tidemark/internal/preflight"
	"tidemark/pipeline/lag"
	"tidemark/schemas"
	"tidemark/sinks/clickhouse/views"
)

type checkCmd struct {
	Example bool `help:"Only print a configuration file that has every key with its default, to start from."`
	Offline bool `help:"Check the configuration and the catalogue only, and ask neither Kafka nor ClickHouse."`
}

// Run loads the configuration; its error has a line for each thing that is wrong. Then it looks at what is really there.
func (c *checkCmd) Run(ctx context.Context, g *globals) error {
	if c.Example {
		_, err := g.stdout.Write(config.Example())
		return err
	}
	cfg, err := g.load()
	if err != nil {
		return err
	}
	source := g.Config
	if source == "" {
		source = "the defaults and the environment"
	}
	counts := map[preflight.Level]int{}
	show := func(found ...preflight.Finding) {
		for _, f := range found {
			counts[f.Level]++
			text := f.Subject + ": " + f.Text
			if f.Fix != "" {
				text += "\nto mend it: " + f.Fix
			}
			fmt.Fprintf(g.stdout, "%-8s %s\n", f.Level, strings.ReplaceAll(text, "\n", "\n         "))
		}
	}
	show(preflight.Finding{Level: preflight.OK, Subject: "configuration", Text: source})
	show(checkCatalogue(&cfg)...)
	if counts[preflight.Error] == 0 { // rules are checked against the catalogue
		show(checkRules(&cfg))
	}
	show(checkCanary(&cfg.Canary))
	if !c.Offline {
		if err := checkLive(ctx, &cfg, show); err != nil {
			return err
		}
	}
	if n := counts[preflight.Error]; n > 0 {
		return fmt.Errorf("check: %s and %s; each is printed with what to do about it",
			preflight.Count(n, "error"), preflight.Count(counts[preflight.Warning], "warning"))
	}
	return ctx.Err()
}

// checkCatalogue compiles the catalogue and makes the views of it, without a server; what it declares but nothing serves is
// vanity (metrics.md row 38).
func checkCatalogue(cfg *config.Config) []preflight.Finding {
	name := cfg.Pipeline.Catalogue
	if name == "" {
		name = "the built-in one"
	}
	f := preflight.Finding{Level: preflight.OK, Subject: "catalogue"}
	catalogue, err := schemas.Load(cfg.Pipeline.Catalogue)
	if err == nil {
		_, err = schemas.Compile(catalogue)
	}
	if err == nil {
		err = offlineViews(cfg, catalogue)
	}
	if err != nil {
		f.Level, f.Text, f.Fix = preflight.Error, err.Error(), "correct the file that pipeline.catalogue names"
		return []preflight.Finding{f}
	}
	f.Text = fmt.Sprintf("%s: %s, %s, %s, %s, %s, %s", name, preflight.Count(len(catalogue.Metrics), "metric"), preflight.Count(len(catalogue.Workflows), "workflow"),
		preflight.Count(len(catalogue.Segments), "segment"), preflight.Count(len(catalogue.Goals), "goal"), preflight.Count(len(catalogue.Surveys), "survey"),
		preflight.Count(len(catalogue.Health.Profiles), "health profile"))
	out := []preflight.Finding{f}
	vanity := preflight.Finding{Level: preflight.OK, Subject: "vanity"}
	var builtin []string
	for _, m := range catalogue.Vanity() {
		if cfg.Pipeline.Catalogue != "" && m.Pos.File == cfg.Pipeline.Catalogue {
			out = append(out, preflight.Finding{
				Level: preflight.Warning, Subject: "metric " + m.Name, Text: "it serves no goal, target or health profile: a number that is only looked at is vanity",
				Fix: "use it in a goal or a health profile, or take it out",
			})
			continue
		}
		builtin = append(builtin, m.Name)
	}
	vanity.Text = fmt.Sprintf("%d built-in metrics serve no goal, target or health profile, and are there to explain others: %s", len(builtin), strings.Join(builtin, ", "))
	return append(out, vanity)
}

// offlineViews finds what only making the views tells, such as a profile that reads a column that is not there.
func offlineViews(cfg *config.Config, catalogue *schemas.Catalogue) error {
	o, err := migrateOptions(cfg)
	if err != nil {
		return err
	}
	_, err = views.Statements(catalogue, views.Options{
		Database: cfg.ClickHouse.Database, Topics: o.Topics,
		MinuteRetention: o.Retention.Minute, HourRetention: o.Retention.Hour, DayRetention: o.Retention.Day,
	})
	return err
}

func checkCanary(c *config.Canary) preflight.Finding {
	f := preflight.Finding{Level: preflight.OK, Subject: "canary", Text: "off"}
	switch {
	case c.Enabled && !strings.HasPrefix(c.Account, "_"):
		f.Level, f.Text = preflight.Warning, fmt.Sprintf("the made-up account %s shows up in the views", c.Account)
		f.Fix = "begin canary.account with _, which hides it"
	case c.Enabled:
		f.Text = fmt.Sprintf("the account %s every %s", c.Account, c.Interval)
	}
	return f
}

// longestWindow is that of the day tier: longer ones are merged from it when they are read.
const longestWindow = 24 * time.Hour

// checkLive asks Kafka, ClickHouse and this machine.
func checkLive(ctx context.Context, cfg *config.Config, show func(...preflight.Finding)) error {
	if err := checkServers(ctx, cfg, show); err != nil {
		return err
	}
	show(preflight.Ports(ctx, preflight.Port{Key: "collector.listen", Address: cfg.Collector.Listen},
		preflight.Port{Key: "admin.listen", Address: cfg.Admin.Listen})...)
	return nil
}

// checkServers asks Kafka and ClickHouse.
func checkServers(ctx context.Context, cfg *config.Config, show func(...preflight.Finding)) error {
	opts, err := kafkaOptions(&cfg.Kafka)
	if err != nil {
		return err
	}
	client, err := kgo.NewClient(opts...)
	if err != nil {
		return fmt.Errorf("connect to Kafka: %w", err)
	}
	defer client.Close()
	store, err := clickhouseClient(&cfg.ClickHouse, cfg.ClickHouse.Reader)
	if err != nil {
		return err
	}
	defer store.Close() //nolint:errcheck // it only reads
	d := cfg.Pipeline.Disorder
	kafka := preflight.Kafka{
		Brokers: cfg.Kafka.Brokers,
		Meter:   &lag.Meter{Client: client, Kafka: opts, Group: liveGroup(ctx, store, cfg.Kafka.Group), Topics: cfg.Kafka.Topics.Folded()},
		Topics:  declaredTopics(&cfg.Kafka), LongestWindow: longestWindow, LongestWait: max(d.Telemetry, d.Tickets, d.Accounts, d.Signals),
		MaxRecordBytes: int(cfg.Collector.MaxEvent),
	}
	show(kafka.Check(ctx)...)
	registry, err := registryClient(&cfg.Normalise.Registry)
	if err != nil {
		return err
	}
	raw := preflight.Normalise{Client: client, Topics: cfg.Normalise.Topics, URLs: cfg.Normalise.Registry.URLs, Registry: registry}
	show(raw.Check(ctx)...)
	for _, addr := range cfg.ClickHouse.Addr {
		if err := checkClickHouse(ctx, cfg, addr, show); err != nil {
			return err
		}
	}
	return nil
}

// checkClickHouse asks one of ClickHouse's servers, as each role.
func checkClickHouse(ctx context.Context, cfg *config.Config, addr string, show func(...preflight.Finding)) error {
	one := cfg.ClickHouse
	one.Addr = []string{addr}
	db, err := migratorDB(&one)
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // it only asked
	check := preflight.ClickHouse{Addr: addr, Database: one.Database, Durability: durability(&cfg.ClickHouse), DB: db}
	for _, r := range []struct {
		key   string
		login config.Login
		role  *preflight.Role
	}{
		{"clickhouse.migrator", one.Migrator, &check.Migrator},
		{"clickhouse.writer", one.Writer, &check.Writer},
		{"clickhouse.reader", one.Reader, &check.Reader},
	} {
		client, err := clickhouseClient(&one, r.login)
		if err != nil {
			return err
		}
		defer client.Close() //nolint:errcheck,gocritic // three at most, and they only asked
		*r.role = preflight.Role{Key: r.key, User: r.login.User, Client: client}
	}
	show(check.Check(ctx)...)
	return nil
}

func durability(c *config.ClickHouse) preflight.Durability {
	return preflight.Durability{Addresses: len(c.Addr), Quorum: c.InsertQuorum}
}
