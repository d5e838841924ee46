package faults_test

import (
	"context"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/internal/devclickhouse"
	"tidemark/internal/devclickhouse/chtest"
	"tidemark/internal/devkafka"
	"tidemark/internal/faults"
)

func startKafka(t *testing.T) *devkafka.Broker {
	t.Helper()
	broker, err := devkafka.Start(t.Context(), devkafka.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, broker.Close()) })
	return broker
}

func kafkaProxy(t *testing.T, broker string) *faults.Proxy {
	t.Helper()
	p, err := faults.Kafka(broker)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	return p
}

func clickhouseProxy(t *testing.T, server string) *faults.Proxy {
	t.Helper()
	p, err := faults.ClickHouse(server)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	return p
}

// within bounds a call that a fault may make hang.
func within(t *testing.T, limit time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}

func TestKafkaThroughTheProxy(t *testing.T) {
	broker := startKafka(t)
	proxy := kafkaProxy(t, broker.Addrs()[0])
	client, err := kgo.NewClient(kgo.SeedBrokers(proxy.Addr()), kgo.RetryTimeout(2*time.Second))
	require.NoError(t, err)
	defer client.Close()
	admin := kadm.NewClient(client)
	_, err = admin.CreateTopic(t.Context(), 1, 1, nil, "topic")
	require.NoError(t, err)
	produce := func() error {
		return client.ProduceSync(within(t, 5*time.Minute), &kgo.Record{Topic: "topic", Value: []byte("v")}).FirstErr()
	}
	require.NoError(t, produce())
	meta, err := admin.BrokerMetadata(t.Context())
	require.NoError(t, err)
	require.NotEqual(t, broker.Addrs()[0], proxy.Addr())
	require.Equal(t, proxy.Addr(), meta.Brokers[0].Host+":"+itoa(meta.Brokers[0].Port), "clients come back through the proxy")

	commit := func(at int64) error {
		offsets := kadm.Offsets{}
		offsets.AddOffset("topic", 0, at, -1)
		return admin.CommitAllOffsets(within(t, 5*time.Minute), "group", offsets)
	}
	seen := make(chan string, 2)
	proxy.Trap("commit sent", 2, func() {
		seen <- "sent"
		proxy.Trap("commit answered", 1, func() { seen <- "answered" })
	})
	require.NoError(t, commit(0))
	require.Empty(t, seen, "the trap is for the second")
	require.NoError(t, commit(1))
	require.Equal(t, "sent", <-seen)
	require.Equal(t, "answered", <-seen)

	proxy.Cut()
	require.NoError(t, produce(), "the client connects anew")
	proxy.Refuse()
	require.Error(t, commit(2))
	proxy.Heal()
	require.NoError(t, commit(2))
	require.NoError(t, produce())
	proxy.Delay(300 * time.Millisecond)
	began := time.Now()
	require.NoError(t, produce())
	require.Greater(t, time.Since(began), 600*time.Millisecond, "there and back")
}

func TestClickHouseThroughTheProxy(t *testing.T) {
	db := chtest.Shared(t)
	proxy := clickhouseProxy(t, db.Server.NativeAddr())
	address := through(t, db.DSN(devclickhouse.Migrator), proxy)
	conn := chtest.Open(t, address)
	require.NoError(t, conn.Exec(t.Context(), "CREATE TABLE numbers (n UInt64) ENGINE = MergeTree ORDER BY n"))
	const patient = 5 * time.Minute // on a busy machine an answer may take long
	insert := func(conn clickhouse.Conn, limit time.Duration) error {
		batch, err := conn.PrepareBatch(within(t, limit), "INSERT INTO numbers (n)")
		if err != nil {
			return err
		}
		defer batch.Close() //nolint:errcheck // after an error of Send
		if err := batch.Append(uint64(1)); err != nil {
			return err
		}
		return batch.Send()
	}
	rows := func() (n uint64) {
		require.NoError(t, db.Open(t, devclickhouse.Reader).QueryRow(t.Context(), "SELECT count() FROM numbers").Scan(&n))
		return n
	}
	require.NoError(t, insert(conn, patient))
	require.EqualValues(t, 1, rows())

	reached := map[faults.Point]uint64{}
	for _, point := range []faults.Point{"numbers begun", "numbers torn", "numbers answered"} {
		arrived, goOn, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
		proxy.Trap(point, 1, func() {
			close(arrived)
			<-goOn
			proxy.Cut()
		})
		go func() { ended <- insert(conn, patient) }()
		<-arrived
		reached[point] = rows()
		close(goOn)
		require.Error(t, <-ended, point)
	}
	require.Equal(t, map[faults.Point]uint64{"numbers begun": 1, "numbers torn": 1, "numbers answered": 2}, reached,
		"an insert is there once the server has answered")
	require.EqualValues(t, 2, rows(), "and only then")

	require.NoError(t, insert(conn, patient), "so that there is a connection")
	proxy.HalfOpen()
	began := time.Now()
	require.Error(t, insert(conn, time.Second), "a connection that nobody answers")
	require.Greater(t, time.Since(began), 900*time.Millisecond, "the client has waited as long as it may")
	require.Error(t, insert(chtest.Open(t, address+"?dial_timeout=1s"), time.Second), "also a new one")
	proxy.Heal()
	require.Eventually(t, func() bool { return insert(conn, patient) == nil }, 5*time.Minute, 10*time.Millisecond)
}
