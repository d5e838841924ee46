package forgotten

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestListNamesNobody: what is entered is found again, by whoever knows the id, and the topic has no id; entering twice changes nothing, no topic is
// no list, and what is not Tidemark's is an error, never a shorter list.
func TestListNamesNobody(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "forgotten", "empty", "other"))
	require.NoError(t, err)
	defer cluster.Close()
	opts := []kgo.Opt{kgo.SeedBrokers(cluster.ListenAddrs()...)}
	client, err := kgo.NewClient(opts...)
	require.NoError(t, err)
	defer client.Close()
	for _, e := range []Entry{Account("acme"), User("u:ada"), User("a:7"), Account("acme")} {
		r := Record("forgotten", e)
		require.NotContains(t, string(r.Key)+string(r.Value), "acme")
		require.NoError(t, client.ProduceSync(t.Context(), r).FirstErr())
	}
	list, err := Read(t.Context(), opts, "forgotten")
	require.NoError(t, err)
	require.Equal(t, 3, list.Len())
	require.True(t, list.Account([]byte("acme")))
	require.False(t, list.Account([]byte("u:ada")))
	require.True(t, list.User(User("u:ada").Hash))
	require.False(t, list.User(User("a:ada").Hash))
	for key, want := range map[string]bool{"acme": true, "acme|plan": true, "u:ada|m1": true, "a:7": true, "acm": false, "": false, "beta|acme": false, "u:adam|m": false} {
		require.Equal(t, want, list.Key([]byte(key)), key)
	}
	for _, topic := range []string{"empty", "nonesuch"} {
		list, err = Read(t.Context(), opts, topic)
		require.NoError(t, err)
		require.Zero(t, list.Len())
	}
	require.NoError(t, client.ProduceSync(t.Context(), &kgo.Record{Topic: "other", Key: []byte("x"), Value: []byte("y")}).FirstErr())
	_, err = Read(t.Context(), opts, "other")
	require.ErrorContains(t, err, "was it written by Tidemark?")
	var none *List
	require.False(t, none.Account([]byte("acme")) || none.User(1) || none.Key([]byte("acme")))
	require.Zero(t, none.Len())
}

// TestWatchKeepsUp: it begins when the list can be read, hears of who is added, and keeps what it knows while nothing can be read.
func TestWatchKeepsUp(t *testing.T) {
	lists := make(chan *List)
	var failures atomic.Int32
	w := &Watch{Every: time.Millisecond, Failed: func(error) { failures.Add(1) }, Read: func(ctx context.Context) (*List, error) {
		select {
		case l := <-lists:
			if l == nil {
				return nil, errors.New("no broker")
			}
			return l, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}}
	require.False(t, w.Account("acme"))
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	done := make(chan struct{})
	go func() {
		defer close(done)
		if w.Begin(ctx) == nil {
			w.Run(ctx)
		}
	}()
	lists <- nil
	lists <- NewList(Account("acme"))
	lists <- nil
	require.True(t, w.Account("acme"))
	require.False(t, w.Account("beta"))
	require.Equal(t, 1, w.Len())
	lists <- NewList(Account("acme"), Account("beta"))
	require.Eventually(t, func() bool { return w.Account("beta") }, 5*time.Minute, time.Millisecond)
	require.Equal(t, int32(2), failures.Load())
	stop()
	<-done
	var none *Watch
	require.False(t, none.Account("acme"))
	require.Zero(t, none.Len())
}
