package clickhouse

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Config says how to reach ClickHouse as one user.
type Config struct {
	Addr        []string // host:port; of one server, or of replicas that see each other's acknowledged writes
	HTTP        bool     // the HTTP protocol instead of the native one
	Database    string
	User        string
	Password    string
	PasswordNow func() string      // if set, it is asked for each connection, instead of Password
	TLS         func() *tls.Config // if set, it is asked for each connection
	DialTimeout time.Duration
	ReadTimeout time.Duration
	Quorum      string // insert_quorum on a replicated cluster, such as "auto"; empty on a single server
}

// Client is a pool of connections to ClickHouse. It is safe for concurrent use.
type Client struct {
	conn       driver.Conn
	quorum     string
	generation uint16 // of the rows that are written and loaded
	openings   *openings
}

// Open returns a client. It does not connect until the first query.
func Open(cfg Config) (*Client, error) {
	protocol := clickhouse.Native
	compression := clickhouse.CompressionLZ4
	if cfg.HTTP {
		protocol = clickhouse.HTTP
		compression = clickhouse.CompressionNone // with a compressed body, an error in mid-query arrives garbled
	}
	if local(cfg.Addr) {
		compression = clickhouse.CompressionNone // between two processes of one machine it only costs
	}
	conn, err := clickhouse.Open(&clickhouse.Options{
		Addr:         cfg.Addr,
		Protocol:     protocol,
		Auth:         clickhouse.Auth{Database: cfg.Database, Username: cfg.User, Password: cfg.Password},
		DialTimeout:  cfg.DialTimeout,
		ReadTimeout:  cfg.ReadTimeout,
		Compression:  &clickhouse.Compression{Method: compression},
		DialStrategy: dialWith(cfg.PasswordNow, cfg.TLS),
		MaxOpenConns: 16,
		MaxIdleConns: 8,
	})
	if err != nil {
		return nil, fmt.Errorf("open ClickHouse %v: %w", cfg.Addr, err)
	}
	return &Client{conn: conn, quorum: cfg.Quorum, openings: &openings{}}, nil
}

// dialStrategy is how clickhouse-go opens a connection.
type dialStrategy = func(context.Context, int, *clickhouse.Options, clickhouse.Dial) (clickhouse.DialResult, error)

// dialWith opens each connection with the password and the certificates of that time. One that the server refuses is
// closed, also over HTTP, where every request brings the password, and so a changed one is used without a restart.
func dialWith(password func() string, certificates func() *tls.Config) dialStrategy {
	return func(ctx context.Context, id int, options *clickhouse.Options, dial clickhouse.Dial) (clickhouse.DialResult, error) {
		now := *options
		if password != nil {
			now.Auth.Password = password()
		}
		if certificates != nil {
			now.TLS = certificates()
		}
		return clickhouse.DefaultDialStrategy(ctx, id, &now, dial)
	}
}

// local reports whether all addresses are of this machine.
func local(addresses []string) bool {
	for _, a := range addresses {
		host, _, err := net.SplitHostPort(a)
		if ip := net.ParseIP(host); err != nil || host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return false
		}
	}
	return true
}

// Conn returns the underlying connection, for queries that are not the pipeline's.
func (c *Client) Conn() driver.Conn { return c.conn }

// Close closes the connections.
func (c *Client) Close() error { return c.conn.Close() }

// InsertContext carries the settings that an acknowledged insert has to mean something: it is synchronous, may touch any
// number of partitions (late events), and on a cluster has reached the quorum.
func (c *Client) InsertContext(ctx context.Context) context.Context {
	settings := clickhouse.Settings{
		"async_insert":                    0,
		"max_partitions_per_insert_block": 0,
		"optimize_on_insert":              0, // merging is the background's work: most rows of one insert are distinct
	}
	if c.quorum != "" {
		settings["insert_quorum"] = c.quorum
		settings["insert_quorum_parallel"] = 0 // so that select_sequential_consistency sees it
	}
	return clickhouse.Context(ctx, clickhouse.WithSettings(settings))
}

// LoadContext carries the settings with which a read sees every acknowledged insert.
func (c *Client) LoadContext(ctx context.Context) context.Context {
	if c.quorum == "" {
		return ctx
	}
	return clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"select_sequential_consistency": 1}))
}
