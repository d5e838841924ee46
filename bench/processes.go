package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/bench/figures"
)

// manyPartitions is what the processes share.
const manyPartitions = 32

// processRun is what some processes took together for the whole topic.
type processRun struct {
	Processes int     `json:"processes"`
	Seconds   float64 `json:"seconds"`
	User      float64 `json:"user_seconds"`
	System    float64 `json:"system_seconds"`
	Inserts   uint64  `json:"inserts"`
}

// measureProcesses lets 1, 2, 4 and 8 processes share a log. They have all joined before the log is shown to them, so that
// starting and rebalancing is not measured.
func (b *bench) measureProcesses(ctx context.Context) error {
	s := b.section(fmt.Sprintf("%d records in %d partitions, read by 1, 2, 4 and 8 processes of tidemark run on %d cores, from the moment at which all have joined. "+
		"What counts is the CPU time of all processes together in their own code: the machine has fewer cores than processes, and its clock counts no instructions.", b.Events, manyPartitions, runtime.NumCPU()))
	var runs []processRun
	base := []float64{}
	for _, n := range []int{1, 2, 4, 8} {
		var user, system []float64
		for i := range b.Runs {
			r, err := b.shared(ctx, fmt.Sprintf("shared_%d_%d", n, i), n)
			if err != nil {
				return err
			}
			fmt.Printf("%d processes, run %d: %.2f µs an event in their own code, %.2f in the kernel, %.0f events/s\n",
				n, i+1, r.User/float64(b.Events)*1e6, r.System/float64(b.Events)*1e6, float64(b.Events)/r.Seconds)
			runs = append(runs, r)
			user, system = append(user, r.User/float64(b.Events)*1e6), append(system, r.System/float64(b.Events)*1e6)
		}
		s.Add(fmt.Sprintf("user_%d", n), fmt.Sprintf("CPU of %d, own code", n), "µs/event", nil, user...)
		s.Add(fmt.Sprintf("system_%d", n), fmt.Sprintf("CPU of %d, kernel", n), "µs/event", nil, system...)
		base = append(base, s.Figures[len(s.Figures)-2].Median)
	}
	most := 0.0
	for _, v := range base[1:] {
		most = max(most, v/base[0], base[0]/v)
	}
	s.Add("spread", "furthest of 2, 4 and 8 from 1, by medians of own code", "", figures.AtMost(1.1), most)
	s.Runs = runs
	b.keep("processes", s)
	return nil
}

// shared lets n processes read a topic of their own.
func (b *bench) shared(ctx context.Context, name string, n int) (r processRun, err error) {
	topic, release, err := b.hold(ctx, name, manyPartitions, newGenerator(b.shape(b.Events), pastDay()))
	if err != nil {
		return r, err
	}
	db, err := b.services.database(ctx, "tidemark_"+name, name)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, db.settle(ctx)) }()
	var members []*process
	defer func() {
		for _, p := range members {
			p.kill()
		}
	}()
	for i := range n {
		p, err := b.tidemark(fmt.Sprintf("%s-%d", name, i), name, name, db)
		if err != nil {
			return r, err
		}
		members = append(members, p)
	}
	err = while(ctx, members, func(ctx context.Context) error {
		if err := b.joined(ctx, name, n); err != nil {
			return err
		}
		if err := sleep(ctx, 2*time.Second); err != nil { // for workers of the last assignment to start
			return err
		}
		before, err := db.events(ctx)
		if err != nil {
			return err
		}
		user, system := times(members)
		began := time.Now()
		if err := release(ctx); err != nil {
			return err
		}
		if err := b.awaitEnd(ctx, name, name); err != nil {
			return err
		}
		userAfter, systemAfter := times(members)
		r = processRun{Processes: n, Seconds: time.Since(began).Seconds(), User: userAfter - user, System: systemAfter - system}
		after, err := db.events(ctx)
		r.Inserts = after.since(before).Inserts
		return errors.Join(err, topic.verify(ctx, db))
	})
	if err != nil {
		return r, err
	}
	for _, p := range members {
		err = errors.Join(err, p.end())
	}
	members = nil
	return r, err
}

func times(members []*process) (user, system float64) {
	for _, p := range members {
		u, s := processTimes(p.pid)
		user, system = user+u, system+s
	}
	return user, system
}

// joined waits until so many members share all partitions of a group's topic evenly.
func (b *bench) joined(ctx context.Context, name string, members int) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(b.services.brokers...))
	if err != nil {
		return err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	for {
		groups, err := admin.DescribeGroups(ctx, name)
		if err == nil && evenly(groups[name], name, members) {
			return nil
		}
		if sleep(ctx, 100*time.Millisecond) != nil {
			return fmt.Errorf("%d members do not come to share %s: %w: %+v", members, name, context.Cause(ctx), groups[name])
		}
	}
}

func evenly(g kadm.DescribedGroup, topic string, members int) bool {
	if g.State != "Stable" || len(g.Members) != members {
		return false
	}
	all := 0
	for _, m := range g.Members {
		assigned, ok := m.Assigned.AsConsumer()
		if !ok {
			return false
		}
		n := 0
		for _, t := range assigned.Topics {
			if t.Topic == topic {
				n = len(t.Partitions)
			}
		}
		if n < manyPartitions/members-3 || n > manyPartitions/members+1 { // the group has three partitions of other topics
			return false
		}
		all += n
	}
	return all == manyPartitions
}
