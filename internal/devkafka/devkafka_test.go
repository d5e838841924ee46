package devkafka_test

import (
	"context"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/internal/devkafka"
	"tidemark/sinks/kafka/topics"
)

func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func start(t *testing.T, opts devkafka.Options) *devkafka.Broker {
	b, err := devkafka.Start(testContext(t), opts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	return b
}

func client(t *testing.T, addrs []string, opts ...kgo.Opt) *kgo.Client {
	cl, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(addrs...)}, opts...)...)
	require.NoError(t, err)
	t.Cleanup(cl.Close)
	return cl
}

func declare(t *testing.T, cl *kgo.Client, name string, partitions int32) {
	_, err := topics.Ensure(testContext(t), cl, []topics.Topic{{Name: name, Partitions: partitions}})
	require.NoError(t, err)
}

func TestTakenPortSaysWhatToDo(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = ln.Close() }()
	port := ln.Addr().(*net.TCPAddr).Port
	_, err = devkafka.Start(testContext(t), devkafka.Options{Port: port})
	require.ErrorContains(t, err, "127.0.0.1:"+strconv.Itoa(port)+" is already in use")
	require.ErrorContains(t, err, "choose another port")
}

func TestSecondBrokerOnADataDirIsRefused(t *testing.T) {
	dir := t.TempDir()
	first := start(t, devkafka.Options{DataDir: dir})
	_, err := devkafka.Start(testContext(t), devkafka.Options{DataDir: dir})
	require.ErrorIs(t, err, devkafka.ErrDirInUse)
	require.ErrorContains(t, err, dir)
	require.NoError(t, first.Close())
	second := start(t, devkafka.Options{DataDir: dir})
	require.NotEmpty(t, second.Addrs())
}
