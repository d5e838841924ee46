package main

import (
	"context"
	"encoding/json"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/internal/devkafka"
)

// TestLiveRecordsAreOfTheMoment sends more records than the pool has and requires that each is whole, dated when it was sent, and
// not one of before.
func TestLiveRecordsAreOfTheMoment(t *testing.T) {
	broker, err := devkafka.Start(t.Context(), devkafka.Options{})
	require.NoError(t, err)
	defer func() { require.NoError(t, broker.Close()) }()
	client, err := kgo.NewClient(kgo.SeedBrokers(broker.Addrs()...), kgo.ConsumeTopics("live"), kgo.MaxBufferedRecords(100))
	require.NoError(t, err)
	defer client.Close()
	_, err = kadm.NewClient(client).CreateTopic(t.Context(), 2, 1, nil, "live")
	require.NoError(t, err)
	l, err := newLive(shape{Accounts: 10, Users: 5, Features: 3, Minutes: 5, Active: 1, Late: 0.1, Seed: 1}, 300)
	require.NoError(t, err)

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var counter atomic.Int64
	go func() {
		defer cancel()
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for counter.Load() < 900 && ctx.Err() == nil { // three times round
			<-tick.C
		}
	}()
	now := time.Date(2026, 3, 10, 23, 59, 59, 0, time.UTC).UnixMilli()
	sent, events, err := l.run(ctx, client, "live", 3000, &counter, func(time.Time) int64 { return now })
	require.NoError(t, err)
	require.Greater(t, events, sent*9/10)
	receiving, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	ids := map[string]bool{}
	for n := 0; n < sent; {
		fetches := client.PollFetches(receiving)
		require.NoError(t, fetches.Err())
		fetches.EachRecord(func(r *kgo.Record) {
			n++
			var e struct {
				MessageID         string    `json:"messageId"`
				SentAt            time.Time `json:"sentAt"`
				ReceivedAt        time.Time `json:"receivedAt"`
				OriginalTimestamp time.Time `json:"originalTimestamp"`
				Timestamp         time.Time `json:"timestamp"`
			}
			require.NoError(t, json.Unmarshal(r.Value, &e), "%s", r.Value)
			require.Equal(t, now, e.SentAt.UnixMilli())
			require.WithinRange(t, e.ReceivedAt, e.SentAt, e.SentAt.Add(time.Second))
			require.WithinDuration(t, e.OriginalTimestamp.Add(e.ReceivedAt.Sub(e.SentAt)), e.Timestamp, time.Millisecond)
			ids[e.MessageID] = true
		})
	}
	require.Len(t, ids, sent, "no two are the same message")
}
