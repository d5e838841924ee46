package realkafka

import (
	"context"
	"errors"
	"net"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestBrokersThatCannotStartSayWhy(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	java, jars, err := tools(ctx)
	var missing *MissingToolError
	if errors.As(err, &missing) && os.Getenv("CI") != "true" {
		t.Skip(err) // as kafkatest does, which this package cannot import
	}
	require.NoError(t, err)
	ports, release, err := choosePorts(1)
	require.NoError(t, err)
	defer release()
	held, err := new(net.ListenConfig).Listen(ctx, "tcp", ports[0].brokerAddr()) // somebody takes the chosen port
	require.NoError(t, err)
	defer func() { _ = held.Close() }()
	n := &node{id: 1, dir: t.TempDir(), addr: ports[0].brokerAddr(), launch: launch{java: java, jars: jars, heapMB: 256}}
	n.clusterID, err = clusterIDOf(n.file("data"))
	require.NoError(t, err)
	require.NoError(t, n.prepare(ctx, serverProperties(n.id, ports, n.dir, Options{})))
	id, err := clusterIDOf(n.file("data"))
	require.NoError(t, err)
	require.Equal(t, n.clusterID, id)
	c := &Cluster{nodes: []*node{n}}
	require.ErrorIs(t, c.Restart(ctx, 1), errPortTaken)
	require.False(t, n.proc.running())

	bad := map[string]string{"authorizer.class.name": "no.such.Authorizer"}
	require.NoError(t, n.prepare(ctx, serverProperties(n.id, ports, n.dir, Options{Properties: bad})))
	err = c.Restart(ctx, 1)
	require.ErrorContains(t, err, "kafka node 1 ended: exit status 1")
	require.ErrorContains(t, err, "no.such.Authorizer")
}
