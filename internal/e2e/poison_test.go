package e2e

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/internal/devclickhouse"
	"tidemark/internal/devkafka"
	"tidemark/internal/poison"
	"tidemark/internal/realkafka/kafkatest"
)

// hostile are records that any producer can write, with the reason why each is a dead letter; "" is for those that are not.
func hostile(now time.Time) map[string]*kgo.Record {
	at := now.UTC().Format(time.RFC3339Nano)
	good := []byte(fmt.Sprintf(`{"type":"page","userId":"u","context":{"groupId":"hostile"},"timestamp":%q}`, at))
	big := bytes.Repeat([]byte("k"), 900_000)
	var names strings.Builder
	fmt.Fprintf(&names, `{%q:{`, strings.Repeat("n", 400_000))
	for i := range 40_000 {
		fmt.Fprintf(&names, `"%d":1,`, i)
	}
	names.WriteString(`"":1}}`)
	telemetry := func(value []byte) *kgo.Record { return &kgo.Record{Topic: "telemetry", Key: []byte("k"), Value: value} }
	accounts := func(value string) *kgo.Record {
		return &kgo.Record{Topic: "accounts", Key: []byte("hostile"), Value: []byte(value)}
	}
	return map[string]*kgo.Record{
		"malformed null":         telemetry(nil),
		"malformed empty":        telemetry([]byte{}),
		"malformed arrays":       telemetry(bytes.Repeat([]byte("["), 900_000)),
		"malformed not UTF-8":    telemetry(bytes.Replace(good, []byte(`"u"`), []byte("\"\xff\""), 1)),
		"malformed zeros":        {Topic: "telemetry", Key: []byte{0, 0xff, '\''}, Value: make([]byte, 1000)},
		"malformed huge key":     {Topic: "telemetry", Key: big, Value: []byte("{")},
		"malformed huge header":  {Topic: "telemetry", Value: []byte("{"), Headers: []kgo.RecordHeader{{Key: "h", Value: big}}},
		"malformed many headers": {Topic: "telemetry", Value: []byte("{"), Headers: make([]kgo.RecordHeader, 200_000)},
		"oversize arrays":        telemetry(bytes.Repeat([]byte("["), 16<<20)), // which compresses well
		"oversize spaces":        {Topic: "tickets", Value: bytes.Repeat([]byte(" "), 16<<20)},
		"oversize names":         accounts(names.String()),
		"bad_time long ago":      accounts(`{"at":"0001-01-01T00:00:00Z","plan":"pro"}`),
		"malformed deep account": accounts(strings.Repeat(`{"a":`, 5000) + `1` + strings.Repeat(`}`, 5000)),
		"future for ever":        telemetry([]byte(`{"type":"page","userId":"u","context":{"groupId":"hostile"},"receivedAt":"9999-01-01T00:00:00Z"}`)),
		" huge account":          telemetry(bytes.Replace(good, []byte("hostile"), bytes.Repeat([]byte("h"), 500_000), 1)),
		" zeros in names":        telemetry(bytes.Replace(good, []byte("hostile"), []byte(`h\u0000'\\\"\u001b`), 1)),
		" good":                  telemetry(good),
	}
}

// poisoned runs a pipeline over everything hostile that the broker takes, among good traffic.
func (s *stage) poisoned(ctx context.Context, client *kgo.Client) {
	t := s.t
	s.Env = append(s.Env, "GOMEMLIMIT=1GiB") // so that what is measured is what it needs, and not what it has not collected yet
	pipeline := s.Pipeline(Binary(t, ""), "a")
	g := NewTraffic(s.Brokers, 5)
	t.Cleanup(func() { require.NoError(t, g.Close()) })
	require.NoError(t, g.Send(ctx, 1000))
	want := map[string]string{} // reason by source and offset
	for name, r := range hostile(time.Now()) {
		require.NoError(t, client.ProduceSync(ctx, r).FirstErr(), name)
		if reason, _, _ := strings.Cut(name, " "); reason != "" {
			want[fmt.Sprintf("%s:%d", s.Source(ctx, r.Topic, int(r.Partition)), r.Offset)] = reason
		}
	}
	for _, bomb := range []struct {
		codec kgo.CompressionCodecType
		size  int64
	}{{kgo.CodecGzip, 512 << 20}, {kgo.CodecLz4, 200 << 20}, {kgo.CodecZstd, 512 << 20}} {
		batch, err := poison.Bomb(bomb.codec, bomb.size)
		require.NoError(t, err)
		for partition := range int32(2) {
			offset, err := poison.Produce(ctx, client, "telemetry", partition, batch)
			require.NoError(t, err, "a broker looks at what is compressed, not at how much it is")
			want[fmt.Sprintf("%s:%d", s.Source(ctx, "telemetry", int(partition)), offset)] = "oversize"
		}
		require.NoError(t, g.Send(ctx, 300))
	}
	s.Settle(ctx, pipeline)
	require.Less(t, pipeline.Peak(t), int64(1500<<20), "bytes in memory at the most")
	result := s.Verify(ctx)
	require.NotEmpty(t, result.Sources)

	rows, err := s.DB.Open(t, devclickhouse.Reader).Query(ctx, "SELECT source, offset, reason FROM dead_letters")
	require.NoError(t, err)
	defer rows.Close() //nolint:errcheck // read to its end
	got := map[string]string{}
	for rows.Next() {
		var source, reason string
		var offset uint64
		require.NoError(t, rows.Scan(&source, &offset, &reason))
		got[fmt.Sprintf("%s:%d", source, offset)] = reason
	}
	require.NoError(t, rows.Err())
	for at, reason := range want {
		require.Equal(t, reason, got[at], at)
	}
	letters, err := s.Admin.ListEndOffsets(ctx, "dead-letters")
	require.NoError(t, err)
	end, _ := letters.Lookup("dead-letters", 0)
	require.GreaterOrEqual(t, end.Offset, int64(len(got)), "each is in the topic, too")
	pipeline.Terminate(t)
}

// refused are batches that a broker has to refuse: they are its matter, as no reader could do anything about them.
func refused() map[string][]byte {
	batch := func() []byte { return poison.Batch(0, 1, poison.Record(nil, 0, []byte("{}"))) }
	magic, sum, length := batch(), batch(), batch()
	magic[16] = 9
	sum[17]++
	binary.BigEndian.PutUint32(length[8:], 1<<30)
	return map[string][]byte{
		"magic": poison.Seal(magic), "checksum": sum, "length": length, "cut": batch()[:50], "compression": poison.Batch(7, 1, []byte("x")),
	}
}

func poisonClient(t *testing.T, brokers []string) *kgo.Client {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.ProducerBatchMaxBytes(32<<20), kgo.BrokerMaxWriteBytes(64<<20),
		kgo.ProducerBatchCompression(kgo.ZstdCompression()), kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)), kgo.MaxDecompressBatchBytes(64<<20))
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return client
}

//tidemark:proves "a record is broken, of the future, without account": 1 5
//tidemark:proves "a batch unpacks to gigabytes": 1 5
func TestPoisonOnEmbeddedKafka(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	broker, err := devkafka.Start(ctx, devkafka.Options{DataDir: t.TempDir(), NoSync: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, broker.Close()) })
	s := newStage(t, broker.Addrs())
	client := poisonClient(t, s.Brokers)
	for name, batch := range refused() {
		_, err := poison.Produce(ctx, client, "telemetry", 0, batch)
		require.Error(t, err, name)
	}
	s.poisoned(ctx, client)
}

//tidemark:proves "a record is broken, of the future, without account": 1 5
//tidemark:proves "a batch unpacks to gigabytes": 1 5
func TestPoisonOnRealKafka(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	s := newStage(t, kafkatest.Start(t).Brokers())
	client := poisonClient(t, s.Brokers)
	more := refused()
	more["no gzip"] = poison.Batch(kgo.CodecGzip, 1, []byte("no gzip"))
	more["more records than there are"] = poison.Batch(0, 5, poison.Record(nil, 0, []byte("{}")))
	more["a record that is cut"] = poison.Batch(0, 1, poison.Record(nil, 0, []byte("{}"))[:4])
	for name, batch := range more {
		_, err := poison.Produce(ctx, client, "telemetry", 0, batch)
		require.Error(t, err, name)
	}
	s.poisoned(ctx, client)
}
