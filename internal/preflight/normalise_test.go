package preflight

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"
	"github.com/twmb/franz-go/pkg/sr/srfake"

	"tidemark/schemas/mapping"
)

// TestNormalise: a raw topic that is not there and a registry that does not answer are errors, with what to do.
func TestNormalise(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "rows"))
	require.NoError(t, err)
	defer cluster.Close()
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...))
	require.NoError(t, err)
	defer client.Close()
	fake := srfake.New()
	registry, err := sr.NewClient(sr.URLs(fake.URL()))
	require.NoError(t, err)
	n := Normalise{Client: client, URLs: []string{"http://r"}, Registry: registry}
	require.Empty(t, n.Check(t.Context()))
	n.Topics = mapping.Topics{"rows": {Format: "debezium"}, "rosw": {Format: "debezium"}}
	require.Equal(t, []Finding{
		{Level: Error, Subject: "normalise", Text: "the topic rosw of normalise.topics does not exist", Fix: "create it, or correct its name"},
		{Level: OK, Subject: "normalise", Text: "1 raw topic there, of 2 declared ones"},
		{Level: OK, Subject: "schema registry", Text: "http://r answers"},
	}, n.Check(t.Context()))
	fake.Close()
	found := n.Check(t.Context())
	require.Equal(t, Error, found[2].Level)
	require.Contains(t, found[2].Text, "http://r: ")
}
