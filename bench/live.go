package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// live sends telemetry at a rate: a pool of records over and over, with the time of the moment, so that making records
// costs the machine next to nothing while it is measured.
type live struct {
	pool []liveRecord
	next int
	day  int64 // that date is of
	date []byte
}

// liveRecord is a record whose times and message id are written anew each time: a repeated one within the pool stays one.
type liveRecord struct {
	key, value []byte
	id         int      // where the message id's first half is
	times      [4]int   // where the times are
	deltas     [4]int64 // of the times to when the record is sent, ms
	isEvent    bool
}

// livePool is how many records there are at most: more than the client holds back, so that none is written to before it is sent.
const livePool = 250_000

// between are the texts between the last times of a record, from its end.
var between = [...]string{`"}`, `","timestamp":"`, `","receivedAt":"`, `","sentAt":"`}

func newLive(s shape, pool int) (*live, error) {
	s.Events = pool
	l := &live{day: -1}
	g := newGenerator(s, pastDay())
	for m, ok := g.next(); ok; m, ok = g.next() {
		r := liveRecord{key: m.key, value: bytes.Clone(m.value), isEvent: m.counted}
		r.id = bytes.Index(r.value, []byte("ajs-next-")) + len("ajs-next-")
		at := len(r.value)
		var sent int64
		for i, text := range between {
			at -= len(text) + len(stamp)
			t, err := time.Parse(stamp, string(r.value[at:at+len(stamp)]))
			if err != nil {
				return nil, fmt.Errorf("a record is not as expected: %w", err)
			}
			r.times[i], r.deltas[i] = at, t.UnixMilli()
			sent = r.deltas[2]
		}
		for i := range r.deltas {
			r.deltas[i] -= sent
		}
		l.pool = append(l.pool, r)
	}
	return l, nil
}

const stamp = "2006-01-02T15:04:05.000Z"

// at writes the times of a record that is sent at now, in Unix ms.
func (l *live) at(r *liveRecord, now int64) {
	for i, at := range r.times {
		l.write(r.value[at:at+len(stamp)], now+r.deltas[i])
	}
}

// write is time.AppendFormat with the date remembered: it is most of that.
func (l *live) write(b []byte, ms int64) {
	const day = 24 * 60 * 60 * 1000
	if ms/day != l.day {
		l.day = ms / day
		l.date = time.UnixMilli(ms).UTC().AppendFormat(nil, stamp[:11])
	}
	copy(b, l.date)
	ms %= day
	two := func(at int, v int64) { b[at], b[at+1] = byte('0'+v/10), byte('0'+v%10) }
	two(11, ms/3_600_000)
	two(14, ms/60_000%60)
	two(17, ms/1000%60)
	b[20] = byte('0' + ms/100%10)
	two(21, ms%100)
}

// run sends rate records a second until ctx ends; when tells the event time of a moment, and counter is kept up to date meanwhile. It
// returns how many Kafka has taken, of them track and page events.
func (l *live) run(ctx context.Context, client *kgo.Client, topic string, rate float64, counter *atomic.Int64, when func(time.Time) int64) (sent, events int, err error) {
	const beat = 5 * time.Millisecond
	ticker := time.NewTicker(beat)
	defer ticker.Stop()
	var mu sync.Mutex
	var failed error
	failure := func() error {
		mu.Lock()
		defer mu.Unlock()
		return failed
	}
	began := time.Now()
	for {
		select {
		case <-ctx.Done():
			return sent, events, errors.Join(flush(ctx, client), failure())
		case <-ticker.C:
		}
		now := time.Now()
		for due := int(rate * now.Sub(began).Seconds()); sent < due && ctx.Err() == nil; sent++ {
			r := &l.pool[l.next%len(l.pool)]
			var cycle [8]byte
			binary.BigEndian.PutUint64(cycle[:], uint64(l.next/len(l.pool)))
			hex.Encode(r.value[r.id:], cycle[:])
			l.at(r, when(now))
			l.next++
			counter.Add(1)
			if r.isEvent {
				events++
			}
			// Not ctx: what was counted must be sent.
			client.Produce(context.WithoutCancel(ctx), &kgo.Record{Topic: topic, Key: r.key, Value: r.value}, func(_ *kgo.Record, err error) {
				if err != nil {
					mu.Lock()
					defer mu.Unlock()
					failed = fmt.Errorf("send to %s: %w", topic, err)
				}
			})
		}
	}
}

// flush waits until all that was produced has been taken, also when ctx has ended.
func flush(ctx context.Context, client *kgo.Client) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	if err := client.Flush(ctx); err != nil {
		return fmt.Errorf("send what is left: %w", err)
	}
	return nil
}
