package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	driver "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/internal/devclickhouse"
	"tidemark/internal/devclickhouse/chtest"
	"tidemark/internal/devkafka"
	"tidemark/internal/ports/portstest"
	"tidemark/pipeline/lag"
)

// backends are a Kafka and a ClickHouse, and the variables that lead Tidemark to them.
type backends struct {
	kafka string
	store *chtest.Database
	env   []string
}

func startBackends(t *testing.T) *backends {
	t.Helper()
	broker, err := devkafka.Start(t.Context(), devkafka.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, broker.Close()) })
	b := &backends{kafka: broker.Addrs()[0], store: chtest.Shared(t)}
	b.env = []string{
		"TIDEMARK_KAFKA_BROKERS=" + b.kafka, "TIDEMARK_KAFKA_PARTITIONS=2", "TIDEMARK_CLICKHOUSE_ADDR=" + b.store.Server.NativeAddr(),
		"TIDEMARK_CLICKHOUSE_DATABASE=" + b.store.Name, "TIDEMARK_ADMIN_LISTEN=127.0.0.1:0", "TIDEMARK_COLLECTOR_LISTEN=127.0.0.1:0",
		"TIDEMARK_CLICKHOUSE_REFRESH=24h", // the engine is shared by the tests: each would have it make a portfolio every minute
	}
	for role, variable := range map[devclickhouse.Role]string{
		devclickhouse.Migrator: "MIGRATOR", devclickhouse.Writer: "WRITER", devclickhouse.Reader: "READER", devclickhouse.Eraser: "ERASER",
	} {
		options, err := driver.ParseDSN(b.store.DSN(role))
		require.NoError(t, err)
		b.env = append(b.env, "TIDEMARK_CLICKHOUSE_"+variable+"_PASSWORD="+options.Auth.Password)
	}
	return b
}

// with returns the environment with some variables set differently.
func (b *backends) with(variables ...string) []string {
	return append(b.env[:len(b.env):len(b.env)], variables...)
}

func (b *backends) migrate(t *testing.T) {
	t.Helper()
	got := tidemark(t, b.env, "migrate")
	require.Equal(t, exitOK, got.code, "%s%s", got.stdout, got.stderr)
}

// send writes telemetry of one user to Kafka.
func (b *backends) send(t *testing.T, events ...string) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(b.kafka))
	require.NoError(t, err)
	defer client.Close()
	for _, event := range events {
		r := &kgo.Record{Topic: "telemetry", Key: []byte("acme"), Value: []byte(event), Timestamp: time.Now().Add(-time.Minute)}
		require.NoError(t, client.ProduceSync(t.Context(), r).FirstErr())
	}
}

// syncBuffer is written by a command and read by its test.
type syncBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// command is a command line that runs beside the test.
type command struct {
	stdout, stderr syncBuffer
	stop           context.CancelFunc
	code           chan int
}

func launch(t *testing.T, env []string, args ...string) *command {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	c := &command{stop: cancel, code: make(chan int, 1)}
	go func() { c.code <- run(ctx, args, env, &c.stdout, &c.stderr) }()
	return c
}

// end stops the command and returns its exit code.
func (c *command) end() int {
	c.stop()
	code := <-c.code
	c.code <- code
	return code
}

// unknownInTime is what tidemark lag says of records whose age it could not read within seconds.
const unknownInTime = "was not found out in time"

// lag runs tidemark lag until it has found out how long records have waited, for which a busy machine may not leave it the time.
func (b *backends) lag(t *testing.T, args ...string) (got outcome) {
	t.Helper()
	require.Eventually(t, func() bool {
		got = tidemark(t, b.env, append([]string{"lag"}, args...)...)
		return !strings.Contains(got.stderr, unknownInTime)
	}, 5*time.Minute, 10*time.Millisecond)
	return got
}

func TestLagFollowsThePipeline(t *testing.T) {
	t.Parallel()
	b := startBackends(t)
	got := tidemark(t, b.env, "lag")
	require.Equal(t, exitOK, got.code)
	require.Contains(t, got.stdout, "group tidemark: Dead, members: 0\n")
	require.Contains(t, got.stdout, "topic telemetry does not exist: create it with tidemark migrate\n")
	require.Contains(t, got.stdout, "ClickHouse was not read: read the checkpoints: ")
	b.migrate(t)
	oldest := time.Now().Add(-time.Minute) // or later
	b.send(t, `{"type":"track","event":"A","userId":"u","messageId":"1","context":{"groupId":"acme"}}`,
		`{"type":"track","event":"A","userId":"u","messageId":"1","context":{"groupId":"acme"}}`, `{`)
	got = b.lag(t, "--max-lag-seconds", "30")
	atMost := time.Since(oldest).Seconds()
	require.Equal(t, exitFailure, got.code)
	exceeded := regexp.MustCompile(`^tidemark: the lag of telemetry/\d is (\d+\.\d) seconds, more than 30\n$`).FindStringSubmatch(got.stderr)
	require.NotNil(t, exceeded, got.stderr)
	seconds, err := strconv.ParseFloat(exceeded[1], 64)
	require.NoError(t, err)
	require.GreaterOrEqual(t, seconds, 60.0)
	require.LessOrEqual(t, seconds, atMost+0.1, "rounded")
	require.Regexp(t, `(?m)^telemetry  \d +-          3    3    \dm\d+(\.\d)?s +- +- +- +unassigned$`, got.stdout)
	require.Equal(t, exitOK, b.lag(t, "--max-lag-seconds", "3600").code)

	pipeline := launch(t, b.with("TIDEMARK_CANARY_ENABLED=false", "TIDEMARK_KAFKA_INSTANCE_ID=me"), "run")
	defer pipeline.end()
	var report lag.Report
	require.Eventually(t, func() bool {
		got = tidemark(t, b.env, "lag", "--json")
		require.Equal(t, exitOK, got.code, got.stderr)
		require.NoError(t, json.Unmarshal([]byte(got.stdout), &report))
		return report.Total.LagRecords == 0 && len(report.Records) == 1 && report.Group.State == "Stable"
	}, 5*time.Minute, 200*time.Millisecond, "%s", &pipeline.stderr)
	require.Equal(t, lag.Group{Name: "tidemark", State: "Stable", Members: 1}, report.Group)
	require.Len(t, report.Sources, 2+2+1+2)
	for _, s := range report.Sources {
		require.Equal(t, lag.OK, s.State)
		require.Equal(t, "me", s.Owner)
		require.Zero(t, *s.LagSeconds)
	}
	require.Equal(t, []lag.Records{{Topic: "telemetry", Received: 3, Applied: 1, Duplicate: 1, DeadLettered: 1}}, report.Records)
	require.Equal(t, []lag.DeadLetters{{Topic: "telemetry", Reason: "malformed", Count: 1}}, report.DeadLetters)
	require.Equal(t, exitOK, tidemark(t, b.env, "lag", "--max-lag-seconds", "0").code)

	// Kafka's part is shown without ClickHouse, ClickHouse's not without Kafka.
	got = tidemark(t, b.with("TIDEMARK_CLICKHOUSE_ADDR=127.0.0.1:1"), "lag")
	require.Equal(t, exitOK, got.code)
	require.Contains(t, got.stdout, "group tidemark: Stable, members: 1\n")
	require.Regexp(t, `\nClickHouse was not read: .*connection refused\n`, got.stdout)
	got = tidemark(t, b.with("TIDEMARK_KAFKA_BROKERS=127.0.0.1:1"), "lag")
	require.Equal(t, exitFailure, got.code)
	require.Regexp(t, `^tidemark: Kafka does not answer at 127.0.0.1:1; is it running, .* connection refused\n$`, got.stderr)
	require.Equal(t, exitOK, pipeline.end())
}

func TestLagWatch(t *testing.T) {
	t.Parallel()
	b := startBackends(t)
	b.migrate(t)
	watch := launch(t, b.env, "lag", "--watch", "--json", "--interval", "10ms")
	require.Eventually(t, func() bool { return strings.Count(watch.stdout.String(), "\n") >= 3 }, 5*time.Minute, 10*time.Millisecond)
	require.Equal(t, exitOK, watch.end())
	for line := range strings.Lines(watch.stdout.String()) {
		require.True(t, json.Valid([]byte(line)), line)
	}
	b.send(t, "{}")
	code := exitOK
	require.Eventually(t, func() bool { // as in backends.lag
		watch = launch(t, b.env, "lag", "-w", "--interval", "10ms", "--max-lag-seconds", "1")
		code = <-watch.code
		watch.stop()
		return !strings.Contains(watch.stderr.String(), unknownInTime)
	}, 5*time.Minute, 10*time.Millisecond)
	require.Equal(t, exitFailure, code, "it ends by itself once the limit is passed")
	require.Contains(t, watch.stderr.String(), "seconds, more than 1\n")
	require.Regexp(t, `^\d{4}-.*Z\ngroup tidemark`, watch.stdout.String())
}

func TestCheckLive(t *testing.T) {
	t.Parallel()
	b := startBackends(t)
	got := tidemark(t, b.env, "check")
	require.Equal(t, exitFailure, got.code)
	require.Equal(t, "tidemark: check: 9 errors and 0 warnings; each is printed with what to do about it\n", got.stderr)
	require.Contains(t, got.stdout, "error    topic forgotten: it does not exist\n")
	require.Contains(t, got.stdout, "error    topic dead-letters: it does not exist\n         to mend it: run tidemark migrate\n")
	require.Contains(t, got.stdout, "has no tables of Tidemark's\n         to mend it: run tidemark migrate\n")

	b.migrate(t)
	taken := httptest.NewServer(http.NotFoundHandler())
	defer taken.Close()
	got = tidemark(t, b.env, "check")
	require.Equal(t, exitOK, got.code, got.stdout)
	require.Empty(t, got.stderr)
	text := strings.NewReplacer(b.kafka, "KAFKA", b.store.Server.NativeAddr(), "CLICKHOUSE").Replace(got.stdout)
	text = regexp.MustCompile(`is version \S+|read \d+ views|\d+ metrics, .* health profiles|all \d+ are|\d+ rules, of which .*|\d+ built-in metrics serve .*`).ReplaceAllString(text, "...")
	require.Equal(t, `ok       configuration: the defaults and the environment
ok       catalogue: the built-in one: ...
ok       vanity: ...
ok       rules: ...
ok       canary: the account _canary every 1s
ok       kafka: reached 1 broker through KAFKA
ok       topic telemetry: 2 partitions, kept for 31 days
ok       topic tickets: 2 partitions, kept for 31 days
ok       topic signals: 2 partitions, kept for 31 days
ok       topic accounts: 1 partition, compacted
ok       topic users: 1 partition, compacted
ok       topic parked: 2 partitions, compacted
ok       topic dead-letters: 1 partition, kept for 31 days
ok       topic forgotten: 1 partition, compacted
ok       group tidemark: Dead, 0 members, 0 of 7 sources have a commit
ok       clickhouse.migrator: migrator reached CLICKHOUSE
ok       clickhouse.writer: writer reached CLICKHOUSE
ok       clickhouse.reader: reader reached CLICKHOUSE
ok       clickhouse: CLICKHOUSE ...
ok       clock: ClickHouse's agrees with this machine's
ok       migrations: ... applied
ok       tables: inserts are durable, reads see them, rows merge by their keys
ok       clickhouse.migrator: migrator may create, alter and drop tables and views
ok       clickhouse.writer: writer may insert and read
ok       clickhouse.writer: an insert with the pipeline's settings works
ok       clickhouse.reader: reader may ...
ok       collector.listen: 127.0.0.1:0 is free
ok       admin.listen: 127.0.0.1:0 is free
`, text)

	got = tidemark(t, b.with("TIDEMARK_ADMIN_LISTEN="+strings.TrimPrefix(taken.URL, "http://")), "check")
	require.Equal(t, exitFailure, got.code)
	require.Contains(t, got.stdout, "         to mend it: end what listens there (ss -ltnp tells), or set admin.listen to another address\n")
}

func TestRunRefusesABrokenInvariant(t *testing.T) {
	t.Parallel()
	b := startBackends(t)
	require.Contains(t, tidemark(t, b.env, "run").stderr, "tidemark: the table counters_all is missing, or hidden from the writer; run tidemark migrate\n")
	b.migrate(t)
	require.NoError(t, b.store.Open(t, devclickhouse.Migrator).Exec(t.Context(), "ALTER TABLE counters_all MODIFY SETTING fsync_after_insert = 0"))
	got := tidemark(t, b.env, "run")
	require.Equal(t, exitFailure, got.code)
	require.Contains(t, got.stderr, "tidemark: the table counters_all has fsync_after_insert = 0, so that an acknowledged insert may vanish when the power fails; "+
		"run ALTER TABLE counters_all MODIFY SETTING fsync_after_insert = 1\n")
	require.Contains(t, tidemark(t, b.env, "lag").stdout, "group tidemark: Dead, members: 0\n", "it did not even join the group")

	got = tidemark(t, b.with("TIDEMARK_CLICKHOUSE_WRITER_PASSWORD=wrong"), "run")
	require.Equal(t, exitFailure, got.code)
	require.Contains(t, got.stderr, "tidemark: ClickHouse refuses the login; set the user and its password, or password_file, as ClickHouse has them: ")
}

func TestRunWaitsForClickHouse(t *testing.T) {
	t.Parallel()
	b := startBackends(t)
	b.migrate(t)
	address, _ := portstest.Reserve(t) // a way to ClickHouse that is closed at first
	pipeline := launch(t, b.with("TIDEMARK_CLICKHOUSE_ADDR="+address, "TIDEMARK_CANARY_INTERVAL=100ms"), "run")
	defer pipeline.end()
	var ops string
	require.Eventually(t, func() bool {
		m := regexp.MustCompile(`"admin": "([^"]+)"`).FindStringSubmatch(pipeline.stderr.String())
		if m != nil {
			ops = "http://" + m[1]
		}
		return m != nil && strings.Contains(pipeline.stderr.String(), "ClickHouse does not answer yet; trying again until it does")
	}, 5*time.Minute, 20*time.Millisecond)
	require.Equal(t, "waiting for ClickHouse\n", get(t, ops+"/readyz"))
	require.Equal(t, "ok\n", get(t, ops+"/livez"))

	forward(t, address, b.store.Server.NativeAddr())
	require.Eventually(t, func() bool { return get(t, ops+"/readyz") == "ok\n" }, 5*time.Minute, 50*time.Millisecond, "%s", &pipeline.stderr)
	require.Eventually(t, func() bool {
		return regexp.MustCompile(`tidemark_canary_freshness_seconds_count [1-9]`).MatchString(get(t, ops+"/metrics"))
	}, 5*time.Minute, 50*time.Millisecond, "the canary runs inside")
	require.Equal(t, exitOK, pipeline.end())
}

func get(t *testing.T, url string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close() //nolint:errcheck // only read
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return string(body)
}

// forward opens the way from an address to another until the test's end.
func forward(t *testing.T, from, to string) {
	t.Helper()
	listener, err := net.Listen("tcp", from)
	require.NoError(t, err)
	var wg sync.WaitGroup
	t.Cleanup(func() { require.NoError(t, listener.Close()); wg.Wait() })
	wg.Go(func() {
		for {
			in, err := listener.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer in.Close() //nolint:errcheck // a test's connection
				var d net.Dialer
				out, err := d.DialContext(context.WithoutCancel(t.Context()), "tcp", to)
				if err != nil {
					return
				}
				wg.Go(func() { _, _ = io.Copy(out, in); _ = out.Close() })
				_, _ = io.Copy(in, out)
			})
		}
	})
}
