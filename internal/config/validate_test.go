package config

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestValidate(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"no brokers":     {func(c *Config) { c.Kafka.Brokers = nil }, `kafka.brokers: must name at least one host:port`},
		"broker's port":  {func(c *Config) { c.Kafka.Brokers = []string{"a"} }, `kafka.brokers: "a" is not host:port, such as 127.0.0.1:9092`},
		"broker port 0":  {func(c *Config) { c.Kafka.Brokers = []string{"a:0"} }, `kafka.brokers: "a:0" is not host:port, such as 127.0.0.1:9092`},
		"no group":       {func(c *Config) { c.Kafka.Group = "" }, `kafka.group: must not be empty`},
		"short session":  {func(c *Config) { c.Kafka.SessionTimeout = time.Second }, `kafka.session_timeout: 1s is outside of what brokers accept; choose 6s to 30m`},
		"mechanism":      {func(c *Config) { c.Kafka.SASL = SASL{Mechanism: "GSSAPI", User: "u", Password: NewSecret("p")} }, `kafka.sasl.mechanism: "GSSAPI" is unknown; choose one of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER, or leave it empty`},
		"no mechanism":   {func(c *Config) { c.Kafka.SASL.User = "u" }, `kafka.sasl.mechanism: a user, password or token is given but no mechanism; set it, such as SCRAM-SHA-512`},
		"no password":    {func(c *Config) { c.Kafka.SASL = SASL{Mechanism: "SCRAM-SHA-256", User: "u"} }, `kafka.sasl.password: SCRAM-SHA-256 needs one; set kafka.sasl.password_file to a file that holds it`},
		"no token":       {func(c *Config) { c.Kafka.SASL.Mechanism, c.Kafka.TLS.Enabled = "OAUTHBEARER", true }, `kafka.sasl.token: OAUTHBEARER needs one; set kafka.sasl.token_file to a file that holds it and is renewed before it expires`},
		"readable token": {func(c *Config) { c.Kafka.SASL = SASL{Mechanism: "OAUTHBEARER", Token: NewSecret("t")} }, `kafka.sasl.mechanism: OAUTHBEARER without TLS sends the password or token readable; set kafka.tls.enabled, or use SCRAM-SHA-512, or accept it with kafka.insecure: true`},
		"own tenant":     {func(c *Config) { c.ClickHouse.Tenants = Tenants{"reader": {}} }, `clickhouse.tenants.reader: is a user of Tidemark's own, who sees more; give the tenant a user of its own`},
		"readable":       {func(c *Config) { c.Kafka.SASL = SASL{Mechanism: "PLAIN", User: "u", Password: NewSecret("p")} }, `kafka.sasl.mechanism: PLAIN without TLS sends the password or token readable; set kafka.tls.enabled, or use SCRAM-SHA-512, or accept it with kafka.insecure: true`},
		"topic":          {func(c *Config) { c.Kafka.Topics.Users = "a b" }, `kafka.topics.users: "a b" is no topic name; use 1 to 249 of the characters a-z A-Z 0-9 . _ -`},
		"same topic":     {func(c *Config) { c.Kafka.Topics.Parked = "users" }, `kafka.topics.parked: users is kafka.topics.users as well; give each its own topic`},
		"partitions":     {func(c *Config) { c.Kafka.Partitions = 0 }, `kafka.partitions: must be at least 1, not 0`},
		"certificate":    {func(c *Config) { c.ClickHouse.TLS = TLS{Enabled: true, CertFile: "c"} }, `clickhouse.tls.cert_file: a certificate and its key go together; set clickhouse.tls.cert_file and clickhouse.tls.key_file, or neither`},
		"tls off":        {func(c *Config) { c.Kafka.TLS.CAFile = "ca" }, `kafka.tls.enabled: is false though other keys of kafka.tls are set; set it to true, or remove them`},
		"protocol":       {func(c *Config) { c.ClickHouse.Protocol = "grpc" }, `clickhouse.protocol: "grpc" is unknown; choose one of native, http`},
		"database":       {func(c *Config) { c.ClickHouse.Database = "a-b" }, `clickhouse.database: "a-b" is no plain name; use letters, digits and _, not a digit first`},
		"quorum":         {func(c *Config) { c.ClickHouse.InsertQuorum = "most" }, `clickhouse.insert_quorum: "most" is not a number of replicas; write auto, or 2 or more, or leave it empty`},
		"no user":        {func(c *Config) { c.ClickHouse.Reader.User = "" }, `clickhouse.reader.user: must not be empty`},
		"never flush":    {func(c *Config) { c.Pipeline.FlushInterval = 0 }, `pipeline.flush_interval: must be more than 0s, not 0s`},
		"disorder":       {func(c *Config) { c.Pipeline.Disorder.Tickets = -time.Second }, `pipeline.disorder.tickets: must not be negative, but is -1s`},
		"retention":      {func(c *Config) { c.Pipeline.Retention.Day = time.Hour }, `pipeline.retention: a finer tier outlives a coarser one; choose minute <= hour <= day`},
		"open to all":    {func(c *Config) { c.Collector.Listen = ":8080" }, `collector.write_keys: none is set, so anybody who reaches :8080 could write; set collector.keys, or collector.write_keys_file to a file with one key a line, or listen on 127.0.0.1`},
		"empty key":      {func(c *Config) { c.Collector.WriteKeys = []Secret{{}} }, `collector.write_keys: one of them is empty; remove it`},
		"batch":          {func(c *Config) { c.Collector.MaxBatch = 1 }, `collector.max_batch: 1B is less than collector.max_event, 32KB; a batch must hold an event`},
		"same port":      {func(c *Config) { c.Admin.Listen = c.Collector.Listen }, `admin.listen: 127.0.0.1:8080 is collector.listen as well; give it another port`},
		"listen":         {func(c *Config) { c.Admin.Listen = "9090" }, `admin.listen: "9090" is not host:port, such as 127.0.0.1:8080`},
		"format":         {func(c *Config) { c.Log.Format = "xml" }, `log.format: "xml" is unknown; choose one of console, json`},
		"canary":         {func(c *Config) { c.Canary.Interval = 0 }, `canary.interval: must be more than 0s, not 0s`},
		"canary account": {func(c *Config) { c.Canary.Account = "" }, `canary.account: must not be empty`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := Default()
			test.change(&cfg)
			require.EqualError(t, cfg.Validate(), test.want)
		})
	}
}

func TestValidateAccepts(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Config){
		"PLAIN with TLS": func(c *Config) {
			c.Kafka.SASL, c.Kafka.TLS.Enabled = SASL{Mechanism: "PLAIN", User: "u", Password: NewSecret("p")}, true
		},
		"PLAIN accepted": func(c *Config) {
			c.Kafka.SASL, c.Kafka.Insecure = SASL{Mechanism: "PLAIN", User: "u", Password: NewSecret("p")}, true
		},
		"SCRAM":                  func(c *Config) { c.Kafka.SASL = SASL{Mechanism: "SCRAM-SHA-512", User: "u", Password: NewSecret("p")} },
		"open with keys":         func(c *Config) { c.Collector.Listen, c.Collector.WriteKeys = ":8080", []Secret{NewSecret("k")} },
		"loopback names":         func(c *Config) { c.Collector.Listen, c.Admin.Listen = "localhost:0", "[::1]:0" },
		"ports of the kernel":    func(c *Config) { c.Collector.Listen, c.Admin.Listen = "127.0.0.1:0", "127.0.0.1:0" },
		"quorum":                 func(c *Config) { c.ClickHouse.InsertQuorum = "auto" },
		"no canary, no interval": func(c *Config) { c.Canary = Canary{} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := Default()
			change(&cfg)
			require.NoError(t, cfg.Validate())
		})
	}
}

func TestValidateReportsEveryProblem(t *testing.T) {
	t.Parallel()
	var zero Config
	err := zero.Validate()
	require.Error(t, err)
	for _, section := range []string{"kafka.", "clickhouse.", "pipeline.", "collector.", "admin.", "log."} {
		require.Contains(t, "\n"+err.Error(), "\n"+section)
	}
	require.Greater(t, strings.Count(err.Error(), "\n"), 25)
}
