// Package config reads Tidemark's configuration: one strict YAML file, then environment variables over it.
//
// Every setting, its default and its unit stand in default.yaml, which is embedded: Default parses it and Example
// returns it, so the documentation cannot disagree with the program. A setting such as kafka.group is the environment
// variable TIDEMARK_KAFKA_GROUP as well. Every Secret has a twin named with _file that names a file to read it from.
package config

import (
	"time"

	"tidemark/schemas/access"
	"tidemark/schemas/mapping"
	"tidemark/sinks/kafka/login"
	"tidemark/sinks/notify"
)

// Config is all that one Tidemark process is told. Fields are described in default.yaml.
type Config struct {
	Kafka      Kafka      `yaml:"kafka"`
	ClickHouse ClickHouse `yaml:"clickhouse"`
	Pipeline   Pipeline   `yaml:"pipeline"`
	Collector  Collector  `yaml:"collector"`
	Normalise  Normalise  `yaml:"normalise"`
	Admin      Admin      `yaml:"admin"`
	Board      Board      `yaml:"board"`
	Log        Log        `yaml:"log"`
	Tracing    Tracing    `yaml:"tracing"`
	Canary     Canary     `yaml:"canary"`
	Triggers   Triggers   `yaml:"triggers"`
}

// Kafka says where the log is and how to join it.
type Kafka struct {
	Brokers           []string      `yaml:"brokers"`
	Group             string        `yaml:"group"`
	InstanceID        string        `yaml:"instance_id"`
	TLS               TLS           `yaml:"tls"`
	SASL              SASL          `yaml:"sasl"`
	Insecure          bool          `yaml:"insecure"`
	SessionTimeout    time.Duration `yaml:"session_timeout"`
	Topics            Topics        `yaml:"topics"`
	Partitions        int           `yaml:"partitions"`
	ReplicationFactor int           `yaml:"replication_factor"`
}

// TLS says how to encrypt a connection and whom to trust; files are PEM.
type TLS struct {
	Enabled    bool   `yaml:"enabled"`
	CAFile     string `yaml:"ca_file"`
	CertFile   string `yaml:"cert_file"`
	KeyFile    string `yaml:"key_file"`
	ServerName string `yaml:"server_name"`
}

// SASL is a login to Kafka; an empty Mechanism means none.
type SASL struct {
	Mechanism string `yaml:"mechanism"`
	User      string `yaml:"user"`
	Password  Secret `yaml:"password"`
	Token     Secret `yaml:"token"`
}

// Login is how clients log in; nil for not at all.
func (s *SASL) Login() *login.SASL {
	if s.Mechanism == "" {
		return nil
	}
	return &login.SASL{Mechanism: s.Mechanism, User: s.User, Password: s.Password, Token: s.Token}
}

// Topics names the topics that Tidemark reads and writes.
type Topics struct {
	Telemetry   string `yaml:"telemetry"`
	Tickets     string `yaml:"tickets"`
	Accounts    string `yaml:"accounts"`
	Signals     string `yaml:"signals"`
	Users       string `yaml:"users"`
	Parked      string `yaml:"parked"`
	DeadLetters string `yaml:"dead_letters"`
	Forgotten   string `yaml:"forgotten"`
}

// Folded lists the topics that the pipeline folds.
func (t *Topics) Folded() []string { return []string{t.Telemetry, t.Tickets, t.Accounts, t.Signals} }

// ClickHouse says where the rollups are kept and as whom to write, read and migrate them.
type ClickHouse struct {
	Addr         []string      `yaml:"addr"`
	Protocol     string        `yaml:"protocol"`
	TLS          TLS           `yaml:"tls"`
	Database     string        `yaml:"database"`
	Migrator     Login         `yaml:"migrator"`
	Writer       Login         `yaml:"writer"`
	Reader       Login         `yaml:"reader"`
	Eraser       Login         `yaml:"eraser"`
	Tenants      Tenants       `yaml:"tenants"`
	InsertQuorum string        `yaml:"insert_quorum"`
	Refresh      time.Duration `yaml:"refresh"`
	DialTimeout  time.Duration `yaml:"dial_timeout"`
	ReadTimeout  time.Duration `yaml:"read_timeout"`
}

// Login is a ClickHouse user.
type Login struct {
	User     string `yaml:"user"`
	Password Secret `yaml:"password"`
}

// Pipeline bounds what the workers hold and says how far event time may stray.
type Pipeline struct {
	Catalogue     string        `yaml:"catalogue"`
	FlushInterval time.Duration `yaml:"flush_interval"`
	FlushRows     int           `yaml:"flush_rows"`
	QueueBytes    Size          `yaml:"queue_bytes"`
	DedupRecords  int           `yaml:"dedup_records"`
	MaxFuture     time.Duration `yaml:"max_future"`
	Disorder      Disorder      `yaml:"disorder"`
	MaxCells      int           `yaml:"max_cells"`
	MaxFeatures   int           `yaml:"max_features"`
	Retention     Retention     `yaml:"retention"`
}

// Disorder is how far a topic's watermark stays behind its highest event time.
type Disorder struct {
	Telemetry time.Duration `yaml:"telemetry"`
	Tickets   time.Duration `yaml:"tickets"`
	Accounts  time.Duration `yaml:"accounts"`
	Signals   time.Duration `yaml:"signals"`
}

// Retention is how long ClickHouse keeps the rows of each tier.
type Retention struct {
	Minute time.Duration `yaml:"minute"`
	Hour   time.Duration `yaml:"hour"`
	Day    time.Duration `yaml:"day"`
}

// Collector is the HTTP endpoint that SDKs and webhooks send to.
type Collector struct {
	Listen        string          `yaml:"listen"`
	TLS           ServerTLS       `yaml:"tls"`
	WriteKeys     []Secret        `yaml:"write_keys"`
	Keys          access.Keys     `yaml:"keys"`
	CORSOrigins   []string        `yaml:"cors_origins"`
	HashKey       Secret          `yaml:"hash_key"`
	Privacy       access.Policies `yaml:"privacy"`
	MaxEvent      Size            `yaml:"max_event"`
	MaxBatch      Size            `yaml:"max_batch"`
	MaxInFlight   int             `yaml:"max_in_flight"`
	PostHogGroups []string        `yaml:"posthog_groups"`
	Sources       mapping.Sources `yaml:"sources"`
}

// ServerTLS is a server's certificate and its key, in PEM files; both empty means plain HTTP.
type ServerTLS struct {
	CertFile string `yaml:"cert_file"`
	KeyFile  string `yaml:"key_file"`
}

// Normalise says which raw topics are normalised, and in which registry their schemas are.
type Normalise struct {
	Group    string         `yaml:"group"`
	Registry Registry       `yaml:"registry"`
	Topics   mapping.Topics `yaml:"topics"`
}

// Registry is a Confluent-compatible schema registry.
type Registry struct {
	URLs     []string `yaml:"urls"`
	User     string   `yaml:"user"`
	Password Secret   `yaml:"password"`
	TLS      TLS      `yaml:"tls"`
}

// Admin is the HTTP endpoint of metrics and health.
type Admin struct {
	Listen string `yaml:"listen"`
	Pprof  bool   `yaml:"pprof"`
}

// Board is the pages in a browser, and who may look at them.
type Board struct {
	Listen       string   `yaml:"listen"`
	Token        Secret   `yaml:"token"`
	Tenant       string   `yaml:"tenant"`
	Proxies      []string `yaml:"proxies"`
	UserHeader   string   `yaml:"user_header"`
	TenantHeader string   `yaml:"tenant_header"`
}

// Log says what is logged and how it looks.
type Log struct {
	Level  string `yaml:"level"`
	Format string `yaml:"format"`
}

// Tracing says where the spans of flushes go; an empty Endpoint means nowhere.
type Tracing struct {
	Endpoint string `yaml:"endpoint"`
}

// Canary is the account whose steady beat measures freshness end to end.
type Canary struct {
	Enabled  bool          `yaml:"enabled"`
	Interval time.Duration `yaml:"interval"`
	Account  string        `yaml:"account"`
}

// Triggers says which rules are evaluated, how often, and where alerts go.
type Triggers struct {
	Rules []string      `yaml:"rules"`
	Tick  time.Duration `yaml:"tick"`
	Slow  time.Duration `yaml:"slow"`
	Sweep time.Duration `yaml:"sweep"`
	Link  string        `yaml:"link"`

	Targets notify.Targets `yaml:"targets"`
}
