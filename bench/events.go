package main

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"
)

// shape describes the telemetry that the topic holds.
type shape struct {
	Events     int     `json:"events"`
	Accounts   int     `json:"accounts"`
	Users      int     `json:"users_per_account"`
	Features   int     `json:"features"`
	Minutes    int     `json:"event_time_minutes"`
	Active     float64 `json:"active_users_share"` // of an account's users, at any one time
	Late       float64 `json:"late_share"`
	Duplicates float64 `json:"duplicate_share"`
	Seed       uint64  `json:"seed"`
}

const (
	maxLate = 3 * time.Hour
	// recent is how many records back a duplicate repeats one: well within the pipeline's filter.
	recent = 1000
)

// truth is what the pipeline must make of the records.
type truth struct {
	Applied, Duplicate, Filtered uint64
	Events                       uint64 // track and page events, each once
	WithDuplicates               uint64 // the same, with every repetition
	FeatureUses                  uint64
	MinuteUsers, DayUsers        map[uint64]struct{} // distinct users by minute and account, and by account
}

// generator makes canonical telemetry events. The same shape and start make the same records.
type generator struct {
	shape
	start int64 // event time of the first record, Unix ms
	rng   *rand.Rand
	n     int
	truth truth
	ring  []message
}

type message struct {
	key, value []byte
	counted    bool // a track or page event
}

func newGenerator(s shape, start time.Time) *generator {
	return &generator{
		shape: s, start: start.UnixMilli(), rng: rand.New(rand.NewPCG(s.Seed, s.Seed)),
		truth: truth{MinuteUsers: map[uint64]struct{}{}, DayUsers: map[uint64]struct{}{}},
	}
}

// next returns the next record, or false after the last. What it returned must not be changed.
func (g *generator) next() (message, bool) {
	if g.n == g.Events {
		return message{}, false
	}
	i := g.n
	g.n++
	if len(g.ring) > 0 && g.rng.Float64() < g.Duplicates {
		g.truth.Duplicate++
		m := g.ring[g.rng.IntN(len(g.ring))]
		g.count(m)
		return m, true
	}
	m := g.event(i)
	g.count(m)
	if len(g.ring) < recent {
		g.ring = append(g.ring, m)
	} else {
		g.ring[i%recent] = m
	}
	return m, true
}

func (g *generator) count(m message) {
	if m.counted {
		g.truth.WithDuplicates++
	}
}

// event makes the i-th record: the accounts' activity is skewed (the busiest hundredth sends a tenth), some of their users
// are active at a time, and each stays with a feature for a while.
func (g *generator) event(i int) message {
	now := g.start + int64(i)*int64(g.Minutes)*60_000/int64(g.Events)
	r := g.rng.Float64()
	account := int(r * r * float64(g.Accounts))
	user := account*g.Users + g.user(account, now)
	original := now - g.rng.Int64N(5000)
	if g.rng.Float64() < g.Late {
		r := g.rng.Float64()
		original -= int64(r * r * r * float64(maxLate.Milliseconds()))
	}
	sent := now + g.rng.Int64N(200)
	received := sent + 20 + g.rng.Int64N(100)
	at := received - (sent - original)

	key := fmt.Appendf(nil, "acct-%06d", account)
	counted := g.truth.Events
	b := g.body(make([]byte, 0, 400), account, user, at)
	b = fmt.Appendf(b, `,"messageId":"ajs-next-%016x%016x","userId":"user-%07d","context":{"groupId":"%s","library":{"name":"analytics.js"}}`,
		g.rng.Uint64(), g.rng.Uint64(), user, key)
	b = appendTime(b, "originalTimestamp", original)
	b = appendTime(b, "sentAt", sent)
	b = appendTime(b, "receivedAt", received)
	b = appendTime(b, "timestamp", at)
	return message{key, append(b, '}'), g.truth.Events > counted}
}

// user picks a user of the account who is active in these ten minutes.
func (g *generator) user(account int, now int64) int {
	for range 20 {
		u := g.rng.IntN(g.Users)
		if float64(mix(account, u, int(now/600_000))%1000) < g.Active*1000 {
			return u
		}
	}
	return g.rng.IntN(g.Users)
}

// body writes the beginning of the event, and counts it.
func (g *generator) body(b []byte, account, user int, at int64) []byte {
	kind := g.rng.IntN(100)
	if kind < 2 { // says nothing of a company: nothing to fold
		g.truth.Filtered++
		return append(b, `{"type":"identify","traits":{"plan":"team","role":"editor"}`...)
	}
	g.truth.Applied++
	if kind < 4 {
		return fmt.Appendf(b, `{"type":"group","groupId":"acct-%06d","traits":{"plan":"team"}`, account)
	}
	g.truth.Events++
	g.truth.MinuteUsers[uint64(user)<<32|uint64(at/60_000)] = struct{}{}
	g.truth.DayUsers[uint64(user)] = struct{}{}
	switch {
	case kind < 24:
		return fmt.Appendf(b, `{"type":"page","name":"Page %d","properties":{"path":"/projects/%d"}`, g.rng.IntN(30), g.rng.IntN(1000))
	case kind < 26:
		return append(b, `{"type":"track","event":"Signed In","properties":{"method":"sso"}`...)
	case kind < 28:
		return append(b, `{"type":"track","event":"$exception","properties":{"message":"request failed"}`...)
	case kind < 31:
		step := [...]string{"Report Started", "Report Configured", "Report Published"}[kind-28]
		return fmt.Appendf(b, `{"type":"track","event":"%s","properties":{"report":%d}`, step, g.rng.IntN(1000))
	}
	feature := mix(account, user, int(at/180_000)) % g.Features
	if g.rng.IntN(5) == 0 {
		feature = g.rng.IntN(g.Features)
	}
	g.truth.FeatureUses++
	return fmt.Appendf(b, `{"type":"track","event":"Feature Used","properties":{"feature":"feature_%02d","duration_ms":%d,"items":%d}`,
		feature, g.rng.IntN(5000), g.rng.IntN(50))
}

// mix hashes three small numbers to one that is not negative.
func mix(a, b, c int) int {
	h := uint64(a)*0x9e3779b97f4a7c15 ^ uint64(b)*0xbf58476d1ce4e5b9 ^ uint64(c)*0x94d049bb133111eb
	h ^= h >> 29
	h *= 0xbf58476d1ce4e5b9
	return int(h >> 33)
}

func appendTime(b []byte, name string, ms int64) []byte {
	b = append(b, `,"`+name+`":`...)
	t := time.UnixMilli(ms).UTC()
	return strconv.AppendQuote(b, t.Format("2006-01-02T15:04:05.000Z"))
}
