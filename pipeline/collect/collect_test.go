package collect

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTrackWithAccount(t *testing.T) {
	t.Parallel()
	cluster := startKafka(t)
	c := start(t, testConfig(cluster))
	c.accept("/v1/track", `{"event":"Report Started","messageId":"m1","userId":"ada","context":{"groupId":"acme"},"properties":{"n":9007199254740993,"f":1.50}}`)
	e := events(t, cluster.ListenAddrs())["m1"]
	require.Equal(t, "track", e["type"])
	records := readTopic(t, cluster.ListenAddrs(), "telemetry")
	require.Len(t, records, 1)
	require.Contains(t, string(records[0].Value), `"properties":{"n":9007199254740993,"f":1.50}`)
	require.Equal(t, "acme", string(records[0].Key))
}

func TestParkedEventIsReleased(t *testing.T) {
	t.Parallel()
	cluster := startKafka(t)
	c := start(t, testConfig(cluster))
	c.accept("/v1/track", track("m1", "ada"))
	require.Empty(t, events(t, cluster.ListenAddrs()))
	c.accept("/v1/group", `{"userId":"ada","groupId":"acme","messageId":"g1","traits":{"plan":"pro"}}`)
	eventually(t, func() bool { return len(events(t, cluster.ListenAddrs())) == 2 }, patience, 20e6)
	c.accept("/v1/track", track("m2", "ada"))
	require.Len(t, events(t, cluster.ListenAddrs()), 3)
}
