package config

import (
	"errors"
	"maps"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"tidemark/sinks/kafka/login"
)

// Validate returns every contradiction and impossible value, joined, one line a problem; each says how to mend it.
// It looks at nothing outside the Config.
func (c *Config) Validate() error {
	var p problems
	c.Kafka.validate(&p)
	c.ClickHouse.validate(&p)
	c.Pipeline.validate(&p)
	c.Collector.validate(&p)
	c.Normalise.validate(&p, &c.Kafka)
	p.listen("admin.listen", c.Admin.Listen)
	if c.Admin.Listen == c.Collector.Listen && !strings.HasSuffix(c.Admin.Listen, ":0") {
		p.addf("admin.listen", "%s is collector.listen as well; give it another port", c.Admin.Listen)
	}
	p.oneOf("log.level", c.Log.Level, "debug", "info", "warn", "error")
	p.oneOf("log.format", c.Log.Format, "console", "json")
	if u, err := url.Parse(c.Tracing.Endpoint); c.Tracing.Endpoint != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
		p.addf("tracing.endpoint", "%q is no URL such as http://otel-collector:4318", c.Tracing.Endpoint)
	}
	if c.Canary.Enabled {
		p.positive("canary.interval", c.Canary.Interval)
		p.notEmpty("canary.account", c.Canary.Account)
	}
	c.Triggers.validate(&p)
	return errors.Join(p...)
}

func (t *Triggers) validate(p *problems) {
	p.positive("triggers.tick", t.Tick)
	if t.Slow < t.Tick {
		p.addf("triggers.slow", "%s is shorter than triggers.tick, %s; it is a multiple of it", t.Slow, t.Tick)
	}
	if t.Sweep < t.Slow {
		p.addf("triggers.sweep", "%s is shorter than triggers.slow, %s; every account takes longer than some", t.Sweep, t.Slow)
	}
	if err := t.Targets.Validate(); err != nil {
		*p = append(*p, err)
	}
}

func (k *Kafka) validate(p *problems) {
	p.addresses("kafka.brokers", k.Brokers)
	p.notEmpty("kafka.group", k.Group)
	k.TLS.validate(p, "kafka.tls")
	k.validateSASL(p)
	// The bounds are Kafka's own defaults for what brokers accept.
	if k.SessionTimeout < 6*time.Second || k.SessionTimeout > 30*time.Minute {
		p.addf("kafka.session_timeout", "%s is outside of what brokers accept; choose 6s to 30m", k.SessionTimeout)
	}
	k.Topics.validate(p)
	p.atLeastOne("kafka.partitions", k.Partitions)
	p.atLeastOne("kafka.replication_factor", k.ReplicationFactor)
}

func (k *Kafka) validateSASL(p *problems) {
	s := &k.SASL
	p.oneOf("kafka.sasl.mechanism", s.Mechanism, append([]string{""}, login.Mechanisms...)...)
	if s.Mechanism == "" {
		if s.User != "" || s.Password.IsSet() || s.Token.IsSet() {
			p.addf("kafka.sasl.mechanism", "a user, password or token is given but no mechanism; set it, such as SCRAM-SHA-512")
		}
		return
	}
	bearer := s.Mechanism == "OAUTHBEARER"
	switch {
	case bearer && !s.Token.IsSet():
		p.addf("kafka.sasl.token", "OAUTHBEARER needs one; set kafka.sasl.token_file to a file that holds it and is renewed before it expires")
	case bearer && (s.User != "" || s.Password.IsSet()):
		p.addf("kafka.sasl.user", "OAUTHBEARER takes who somebody is from the token; remove user and password")
	case !bearer && s.Token.IsSet():
		p.addf("kafka.sasl.token", "only OAUTHBEARER takes one; remove it, or set that mechanism")
	}
	if !bearer {
		p.notEmpty("kafka.sasl.user", s.User)
		if !s.Password.IsSet() {
			p.addf("kafka.sasl.password", "%s needs one; set kafka.sasl.password_file to a file that holds it", s.Mechanism)
		}
	}
	if (bearer || s.Mechanism == "PLAIN") && !k.TLS.Enabled && !k.Insecure {
		p.addf("kafka.sasl.mechanism", "%s without TLS sends the password or token readable; set kafka.tls.enabled, "+
			"or use SCRAM-SHA-512, or accept it with kafka.insecure: true", s.Mechanism)
	}
}

// topicName is what Kafka allows.
var topicName = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,249}$`)

func validTopic(name string) bool { return topicName.MatchString(name) && name != "." && name != ".." }

// keyedTopic is a topic and its key in the configuration.
type keyedTopic struct{ key, name string }

func (t *Topics) byKey() []keyedTopic {
	return []keyedTopic{
		{"telemetry", t.Telemetry},
		{"tickets", t.Tickets},
		{"accounts", t.Accounts},
		{"signals", t.Signals},
		{"users", t.Users},
		{"parked", t.Parked},
		{"dead_letters", t.DeadLetters},
		{"forgotten", t.Forgotten},
	}
}

func (t *Topics) validate(p *problems) {
	seen := map[string]string{}
	for _, topic := range t.byKey() {
		key := "kafka.topics." + topic.key
		if !validTopic(topic.name) {
			p.addf(key, "%q is no topic name; use 1 to 249 of the characters a-z A-Z 0-9 . _ -", topic.name)
			continue
		}
		if other, ok := seen[topic.name]; ok {
			p.addf(key, "%s is %s as well; give each its own topic", topic.name, other)
		}
		seen[topic.name] = key
	}
}

func (t *TLS) validate(p *problems, section string) {
	if (t.CertFile == "") != (t.KeyFile == "") {
		p.addf(section+".cert_file", "a certificate and its key go together; set %s.cert_file and %s.key_file, or neither", section, section)
	}
	if !t.Enabled && t.CAFile+t.CertFile+t.KeyFile+t.ServerName != "" {
		p.addf(section+".enabled", "is false though other keys of %s are set; set it to true, or remove them", section)
	}
}

// databaseName is what needs no quoting in ClickHouse.
var databaseName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)

func (c *ClickHouse) validate(p *problems) {
	p.addresses("clickhouse.addr", c.Addr)
	p.oneOf("clickhouse.protocol", c.Protocol, "native", "http")
	c.TLS.validate(p, "clickhouse.tls")
	if !databaseName.MatchString(c.Database) {
		p.addf("clickhouse.database", "%q is no plain name; use letters, digits and _, not a digit first", c.Database)
	}
	p.notEmpty("clickhouse.migrator.user", c.Migrator.User)
	p.notEmpty("clickhouse.writer.user", c.Writer.User)
	p.notEmpty("clickhouse.reader.user", c.Reader.User)
	p.notEmpty("clickhouse.eraser.user", c.Eraser.User)
	for _, own := range []string{c.Migrator.User, c.Writer.User, c.Reader.User, c.Eraser.User} {
		if c.Tenants[own] != nil {
			p.addf("clickhouse.tenants."+own, "is a user of Tidemark's own, who sees more; give the tenant a user of its own")
		}
	}
	if q := c.InsertQuorum; q != "" && q != "auto" {
		if n, err := strconv.ParseUint(q, 10, 16); err != nil || n == 0 {
			p.addf("clickhouse.insert_quorum", "%q is not a number of replicas; write auto, or 2 or more, or leave it empty", q)
		}
	}
	if c.Refresh < time.Second || c.Refresh%time.Second != 0 {
		p.addf("clickhouse.refresh", "must be whole seconds, 1s at least, not %s", c.Refresh)
	}
	p.positive("clickhouse.dial_timeout", c.DialTimeout)
	p.positive("clickhouse.read_timeout", c.ReadTimeout)
}

func (l *Pipeline) validate(p *problems) {
	p.positive("pipeline.flush_interval", l.FlushInterval)
	p.atLeastOne("pipeline.flush_rows", l.FlushRows)
	if l.QueueBytes < Megabyte {
		p.addf("pipeline.queue_bytes", "must be 1MB at least, not %d bytes: a fetched batch has to fit", l.QueueBytes)
	}
	p.atLeastOne("pipeline.dedup_records", l.DedupRecords)
	p.notNegative("pipeline.max_future", l.MaxFuture)
	p.notNegative("pipeline.disorder.telemetry", l.Disorder.Telemetry)
	p.notNegative("pipeline.disorder.tickets", l.Disorder.Tickets)
	p.notNegative("pipeline.disorder.accounts", l.Disorder.Accounts)
	p.notNegative("pipeline.disorder.signals", l.Disorder.Signals)
	p.atLeastOne("pipeline.max_cells", l.MaxCells)
	p.atLeastOne("pipeline.max_features", l.MaxFeatures)
	p.positive("pipeline.retention.minute", l.Retention.Minute)
	p.positive("pipeline.retention.hour", l.Retention.Hour)
	p.positive("pipeline.retention.day", l.Retention.Day)
	if l.Retention.Minute > l.Retention.Hour || l.Retention.Hour > l.Retention.Day {
		p.addf("pipeline.retention", "a finer tier outlives a coarser one; choose minute <= hour <= day")
	}
}

func (c *Collector) validate(p *problems) {
	p.listen("collector.listen", c.Listen)
	c.validateAccess(p)
	if c.MaxEvent < 1 {
		p.addf("collector.max_event", "must be at least 1B, such as 32KB")
	}
	if c.MaxBatch < c.MaxEvent {
		p.addf("collector.max_batch", "%s is less than collector.max_event, %s; a batch must hold an event", c.MaxBatch, c.MaxEvent)
	}
	p.atLeastOne("collector.max_in_flight", c.MaxInFlight)
	if len(c.PostHogGroups) == 0 || slices.Contains(c.PostHogGroups, "") {
		p.addf("collector.posthog_groups", "must name the group types that are accounts, such as company")
	}
	for _, name := range slices.Sorted(maps.Keys(c.Sources)) {
		if !c.Sources[name].Secret.IsSet() && len(c.WriteKeys)+len(c.Keys) == 0 && !loopback(c.Listen) {
			p.addf("collector.sources."+name, "has no secret and there are no write keys, so that anybody who reaches %s could write; set secret_file", c.Listen)
		}
	}
}

// validateAccess checks who may send, and what is kept.
func (c *Collector) validateAccess(p *problems) {
	if (c.TLS.CertFile == "") != (c.TLS.KeyFile == "") {
		p.addf("collector.tls", "a certificate and its key go together; set cert_file and key_file, or neither")
	}
	if len(c.WriteKeys)+len(c.Keys) == 0 && !loopback(c.Listen) {
		p.addf("collector.write_keys", "none is set, so anybody who reaches %s could write; set collector.keys, or "+
			"collector.write_keys_file to a file with one key a line, or listen on 127.0.0.1", c.Listen)
	}
	if slices.ContainsFunc(c.WriteKeys, func(key Secret) bool { return !key.IsSet() }) {
		p.addf("collector.write_keys", "one of them is empty; remove it")
	}
	for _, origin := range c.CORSOrigins {
		u, err := url.Parse(origin)
		if origin != "*" && (err != nil || u.Host == "" || origin != u.Scheme+"://"+u.Host || u.Scheme != "https" && u.Scheme != "http") {
			p.addf("collector.cors_origins", "%q is no origin; write it as https://app.example.com, without a path, or *", origin)
		}
	}
	if n := len(c.HashKey.Reveal()); n > 0 && n < 16 {
		p.addf("collector.hash_key", "has %d bytes, so that it could be guessed; use 32 random ones, such as from: head -c 32 /dev/urandom | base64", n)
	}
	webhooks := slices.Collect(maps.Keys(c.Sources))
	for _, err := range []error{c.Keys.Check(webhooks), c.Privacy.Check(webhooks, c.HashKey.IsSet())} {
		if err != nil {
			*p = append(*p, err)
		}
	}
}

func (n *Normalise) validate(p *problems, k *Kafka) {
	p.notEmpty("normalise.group", n.Group)
	if n.Group == k.Group {
		p.addf("normalise.group", "%s is kafka.group as well; give it a group of its own", n.Group)
	}
	n.Registry.validate(p)
	own := k.Topics.byKey()
	for _, name := range slices.Sorted(maps.Keys(n.Topics)) {
		key := "normalise.topics." + name
		if !validTopic(name) {
			p.addf(key, "%q is no topic name; use 1 to 249 of the characters a-z A-Z 0-9 . _ -", name)
		}
		for _, topic := range own {
			if topic.name == name {
				p.addf(key, "it is kafka.topics.%s as well, which Tidemark itself writes; read another topic", topic.key)
			}
		}
		if n.Topics[name].Registered() && len(n.Registry.URLs) == 0 {
			p.addf(key, "its format %s needs a schema registry; set normalise.registry.urls", n.Topics[name].Format)
		}
	}
}

func (r *Registry) validate(p *problems) {
	for _, text := range r.URLs {
		if u, err := url.Parse(text); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			p.addf("normalise.registry.urls", "%q is no URL such as https://registry.example.com", text)
		}
	}
	if (r.User == "") != !r.Password.IsSet() {
		p.addf("normalise.registry.user", "a user and its password go together; set normalise.registry.user and normalise.registry.password_file, or neither")
	}
	r.TLS.validate(p, "normalise.registry.tls")
}

// loopback says whether only this machine reaches address.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	return err == nil && (host == "localhost" || net.ParseIP(host).IsLoopback())
}
