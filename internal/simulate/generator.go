package simulate

import (
	"container/heap"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"time"
)

// Generator yields the messages of a plan in the order in which they are sent.
// It is not for concurrent use.
type Generator struct {
	plan     Plan
	run      string // begins every id, so that two runs never share one
	r        *rand.Rand
	accounts []*account

	seq    uint64 // of the next message
	ids    uint64
	queue  queue
	orders uint64
	// frontier is the instant up to which everything due has been queued.
	frontier time.Time
	stretch  int // index in plan.Live, -1 in the past
	slot     uint64
	odds     odds
	faults   int // malformed messages so far
	stories  int // ticket stories so far
	releases int // of the product so far
}

// NewGenerator begins the plan's stream.
func NewGenerator(plan Plan) (*Generator, error) {
	if err := plan.validate(); err != nil {
		return nil, err
	}
	for _, s := range plan.Live {
		if err := s.validate(); err != nil {
			return nil, err
		}
	}
	plan.Start = plan.Start.UTC().Truncate(time.Millisecond)
	h := fnv.New64a()
	for _, n := range []uint64{plan.Seed, uint64(plan.Start.UnixMilli())} {
		_, _ = h.Write(binary.LittleEndian.AppendUint64(nil, n))
	}
	r := rand.New(rand.NewPCG(plan.Seed, 0x7469646d61726b))
	g := &Generator{
		plan: plan, run: fmt.Sprintf("%016x", h.Sum64()), r: r, accounts: newAccounts(plan, r),
		frontier: plan.Start.Add(-plan.History), stretch: -1,
	}
	for _, a := range g.accounts {
		g.tellAccount(a)
	}
	return g, nil
}

// Next returns the next message. It returns false where the past is over and
// the plan has no live traffic yet.
func (g *Generator) Next() (Message, bool) {
	for {
		if next := g.stretch + 1; g.stretch >= 0 && next < len(g.plan.Live) && g.plan.Live[next].Seq == g.seq {
			g.begin(next)
		}
		if len(g.queue) > 0 && g.queue[0].At.Before(g.frontier) {
			return g.send(heap.Pop(&g.queue).(queued)), true //nolint:forcetypeassert // the queue holds nothing else
		}
		switch {
		case g.stretch >= 0:
			g.liveSlot()
		case g.frontier.Before(g.plan.Start):
			g.pastHour()
		case len(g.plan.Live) > 0:
			g.begin(0)
		default:
			return Message{}, false
		}
	}
}

// Seq is the number of messages that Next has returned.
func (g *Generator) Seq() uint64 { return g.seq }

// Resume adds a stretch of live traffic from the next message on.
func (g *Generator) Resume(at time.Time, rate float64) (Stretch, error) {
	s := Stretch{Seq: g.seq, At: at.UTC().Truncate(time.Millisecond), Rate: rate}
	if err := s.validate(); err != nil {
		return s, err
	}
	g.plan.Live = append(g.plan.Live, s)
	return s, nil
}

func (g *Generator) begin(stretch int) {
	g.stretch, g.slot = stretch, 0
	if at := g.plan.Live[stretch].At; at.After(g.frontier) {
		g.frontier = at
	}
}

// progress is the share of the past that has gone by.
func (g *Generator) progress(at time.Time) float64 {
	if g.plan.History == 0 || !at.Before(g.plan.Start) {
		return 1
	}
	return 1 - float64(g.plan.Start.Sub(at))/float64(g.plan.History)
}

// send gives the message its number and settles what depends on the order:
// whether its user is known by now, and whether it is sent again.
func (g *Generator) send(q queued) Message {
	m := q.Message
	m.Seq = g.seq
	g.seq++
	sure := true // that the message will not be parked, where two of the same are one
	if u := q.user; u != nil && u.intro != byEachCall {
		if m.intent.knows && !u.known {
			u.known, u.knownAt = true, m.Seq
		}
		m.intent.waits = !u.known
		sure = u.known && m.Seq > u.knownAt+maxSpan
	}
	if m.intent.verdict == applied && sure && m.Via != Accounts && chance(g.r, 0.01) {
		g.repeat(m)
	}
	return m
}

// repeatWithin bounds how many messages come between a message and its repeat,
// to stay inside the pipeline's window however few partitions there are.
const repeatWithin = 40_000

func (g *Generator) repeat(m Message) {
	after := between(g.r, 50*time.Millisecond, 2*time.Second)
	if chance(g.r, 0.3) {
		after = between(g.r, time.Minute, 5*time.Minute)
	}
	if g.stretch >= 0 {
		limit := repeatWithin / g.plan.Live[g.stretch].Rate
		after = min(after, time.Duration(limit*float64(time.Second)))
	}
	m.At = m.At.Add(after)
	m.intent = intent{verdict: duplicate, account: m.intent.account, at: m.intent.at}
	g.push(m, nil)
}

func (g *Generator) id() string {
	g.ids++
	return fmt.Sprintf("%s-%d", g.run, g.ids)
}

// queued is a message that waits for its time. user is set where it matters
// whether the user's account is known when it is sent.
type queued struct {
	Message
	user  *user
	order uint64
}

func (g *Generator) push(m Message, u *user) {
	g.orders++
	heap.Push(&g.queue, queued{Message: m, user: u, order: g.orders})
}

// queue is a heap by due time, and by order of arrival among equals.
type queue []queued

func (q queue) Len() int { return len(q) }

func (q queue) Less(i, j int) bool {
	if c := q[i].At.Compare(q[j].At); c != 0 {
		return c < 0
	}
	return q[i].order < q[j].order
}

func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

// Push is for container/heap.
func (q *queue) Push(v any) { *q = append(*q, v.(queued)) } //nolint:forcetypeassert // as above

// Pop is for container/heap.
func (q *queue) Pop() any {
	last := len(*q) - 1
	v := (*q)[last]
	(*q)[last] = queued{}
	*q = (*q)[:last]
	return v
}
