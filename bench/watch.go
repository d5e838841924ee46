package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"
)

// watched is an instance of the pipeline to which traffic is sent at a rate.
type watched struct {
	topic   string
	already int // records that it has
	rate    float64
	process *process
	db      *database
	probes  *probes
	client  *kgo.Client // that sends
}

// moment is what has been used and done up to it.
type moment struct {
	at     time.Time
	cpu    [4]float64 // seconds: pipeline, ClickHouse, Kafka, this process
	events serverEvents
	sent   int
}

// watch sends the traffic and the probes, measures from when it has settled to when the sending ends, and checks that every
// record was received.
func (b *bench) watch(ctx context.Context, w watched) (*liveRun, error) {
	traffic, err := newLive(b.shape(0), livePool)
	if err != nil {
		return nil, err
	}
	r := &liveRun{}
	var from, to moment
	var sent atomic.Int64
	sending, stop := context.WithTimeout(ctx, settleIn+b.Measured)
	defer stop()
	group, inner := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		defer stop()
		r.Sent, r.Events, err = traffic.run(sending, w.client, w.topic, w.rate, &sent, time.Time.UnixMilli)
		return err
	})
	group.Go(func() error { return w.probes.run(sending, time.Minute) })
	group.Go(func() (err error) {
		if err := sleep(inner, settleIn); err != nil {
			return err
		}
		if from, err = b.moment(inner, w, &sent); err != nil {
			return err
		}
		if err := sleep(inner, b.Measured-time.Second); err != nil {
			return err
		}
		if to, err = b.moment(inner, w, &sent); err != nil {
			return err
		}
		r.Left, err = b.behind(inner, w)
		return err
	})
	if err := group.Wait(); err != nil {
		return nil, err
	}
	all := w.already + r.Sent + w.probes.count()
	r.fill(from, to)
	if r.Freshness, err = w.probes.percentiles(from.at, to.at, 0.5, 0.9, 0.99); err != nil {
		return nil, err
	}
	slices.Sort(w.probes.looks)
	r.LookMillis = w.probes.looks[len(w.probes.looks)/2] * 1000
	return r, b.received(ctx, w.db, w.topic, all)
}

// fill says what happened between two moments.
func (r *liveRun) fill(from, to moment) {
	r.Seconds, r.Sent = to.at.Sub(from.at).Seconds(), to.sent-from.sent
	events := to.events.since(from.events)
	r.Pipeline, r.ClickHouse = (to.cpu[0]-from.cpu[0])/r.Seconds, (to.cpu[1]-from.cpu[1])/r.Seconds
	r.Kafka, r.Generator = (to.cpu[2]-from.cpu[2])/r.Seconds, (to.cpu[3]-from.cpu[3])/r.Seconds
	r.Inserts, r.NewParts = float64(events.Inserts)/r.Seconds, float64(events.NewParts)/r.Seconds
	r.Written = float64(events.Written) / r.Seconds
	r.Lag = float64(r.Left) / float64(r.Sent) * r.Seconds
}

func (b *bench) moment(ctx context.Context, w watched, sent *atomic.Int64) (moment, error) {
	events, err := w.db.events(ctx)
	return moment{
		at: time.Now(), events: events, sent: int(sent.Load()),
		cpu: [4]float64{processTime(w.process.pid), processTime(b.services.server.PID()), processTime(b.services.kafkaID), processTime(os.Getpid())},
	}, err
}

// behind returns how many records are not committed.
func (b *bench) behind(ctx context.Context, w watched) (int, error) {
	admin := kadm.NewClient(w.client)
	end, err := ends(ctx, admin, w.topic)
	if err != nil {
		return 0, err
	}
	n, err := committed(ctx, admin, w.topic, w.topic)
	if err != nil {
		return 0, err
	}
	left := -n
	for _, at := range end {
		left += int(at)
	}
	return max(left, 0), nil
}

// received waits until all of a topic is committed, by a group of the topic's name, and requires that the checkpoints have received so
// many records and have lost none.
func (b *bench) received(ctx context.Context, db *database, topic string, records int) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	if err := b.awaitEnd(ctx, topic, topic); err != nil {
		return err
	}
	var received, accounted, dead uint64
	row := db.admin.QueryRowContext(ctx, `
SELECT sum(received), sum(applied + duplicate + filtered), sum(dead_lettered) FROM checkpoints
WHERE (source, offset) IN (SELECT source, max(offset) FROM checkpoints GROUP BY source) AND startsWith(source, ?)`, topic+"/")
	if err := row.Scan(&received, &accounted, &dead); err != nil {
		return fmt.Errorf("read checkpoints: %w", err)
	}
	if received != uint64(records) || accounted != received {
		return fmt.Errorf("wrong result: %d records were sent, %d received, %d applied, duplicate or filtered, %d dead-lettered", records, received, accounted, dead)
	}
	return nil
}

// sleep waits, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
