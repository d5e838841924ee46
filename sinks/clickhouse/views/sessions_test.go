package views_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tidemark/internal/devclickhouse/chtest"
)

// total is what the users of a window did.
type total struct {
	sessions          int
	sessionMS, active int64
}

// Views read user minutes in slices by age, and of each minute only the first and last event. Counted here, event by event,
// are random events over half a year, some of them close enough for sessions over midnight and over slices.
func TestSessionsAreExact(t *testing.T) {
	f := newFixture(t)
	random := rand.New(rand.NewPCG(3, 4))
	noon := time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)
	events := map[int][]int64{}
	for range 700 {
		user, at := random.IntN(4), noon.Add(-time.Duration(random.ExpFloat64()*float64(20*24*time.Hour))).UnixMilli()
		for at < noon.UnixMilli() && random.IntN(12) > 0 {
			events[user] = append(events[user], at)
			at += int64(random.ExpFloat64() * float64((7*time.Minute + time.Duration(user)*8*time.Minute).Milliseconds()))
		}
	}
	for range 5 { // a robot that takes days
		at := noon.AddDate(0, 0, -1-random.IntN(90)).UnixMilli()
		for range 3000 {
			events[9] = append(events[9], at)
			at += random.Int64N(2 * 60 * 1000)
		}
	}
	insertEvents(t, f, random, events)

	for view, size := range map[string]time.Duration{"minute": time.Minute, "hour": time.Hour, "day": 24 * time.Hour} {
		want := naive(events, size.Milliseconds())
		var lines []string
		for window, sum := range want {
			if view == "minute" && window < noon.AddDate(0, 0, -14).UnixMilli() { // that tier does not go back further
				continue
			}
			lines = append(lines, fmt.Sprintf("%s\t%d\t%d\t%d\n", time.UnixMilli(window).UTC().Format(time.DateTime), sum.sessions, sum.sessionMS, sum.active))
		}
		slices.Sort(lines)
		require.Equal(t, strings.Join(lines, ""), f.rows(t, fmt.Sprintf(`SELECT window_start, sessions, toInt64(round(session_seconds * 1000)), toInt64(round(active_seconds * 1000))
			FROM usage_%s WHERE (sessions > 0 OR active_seconds > 0) AND (%t OR window_start >= '2026-02-24 12:00:00') ORDER BY window_start`, view, view != "minute")), view)
	}
	for _, days := range []int{7, 28} {
		require.Equal(t, "0\n", f.rows(t, fmt.Sprintf(`SELECT countIf(r.sessions != d.sessions OR abs(r.session_seconds - d.seconds) > 0.001 OR abs(r.active_seconds - d.active) > 0.001)
			FROM usage_%dd AS r INNER JOIN
			(
				SELECT window_start + 86400 * (1 + arrayJoin(range(%d))) AS window_end, sum(sessions) AS sessions, sum(session_seconds) AS seconds, sum(active_seconds) AS active
				FROM usage_day GROUP BY window_end
			) AS d ON d.window_end = r.window_end`, days, days)), "%d days", days)
	}
}

// insertEvents writes user minutes as the pipeline would: several versions of a minute, in two sources.
func insertEvents(t *testing.T, f fixture, random *rand.Rand, events map[int][]int64) {
	t.Helper()
	type minute struct {
		user, source int
		start        int64
	}
	bounds := map[minute][2]int64{}
	var rows []string
	for user, times := range events {
		random.Shuffle(len(times), func(i, j int) { times[i], times[j] = times[j], times[i] })
		for _, at := range times {
			m := minute{user, random.IntN(2), at / 60000}
			b, ok := bounds[m]
			if !ok {
				b = [2]int64{at, at}
			}
			b = [2]int64{min(b[0], at), max(b[1], at)}
			bounds[m] = b
			rows = append(rows, fmt.Sprintf("('acme', %d, %d, 'telemetry/%d@T', fromUnixTimestamp64Milli(toInt64(%d)), fromUnixTimestamp64Milli(toInt64(%d)))",
				m.start*60, user, m.source, b[0], b[1]))
		}
	}
	f.exec(t, chtest.Into("account_changes")+" VALUES ('acme', '2026-03-10 00:00:00', 'accounts/0@A', 0, 0, {})")
	for chunk := range slices.Chunk(rows, 4000) {
		f.exec(t, chtest.Into("user_minutes")+" VALUES "+strings.Join(chunk, ","))
	}
}

// naive follows the catalogue's words: a pause of half an hour ends a session, which counts in the window of its start; a
// pause counts up to five minutes in the window of the event before it.
func naive(events map[int][]int64, size int64) map[int64]total {
	const gap, idle = 30 * 60 * 1000, 5 * 60 * 1000
	sums := map[int64]total{}
	add := func(at int64, more total) {
		window := at / size * size
		sum := sums[window]
		sums[window] = total{sum.sessions + more.sessions, sum.sessionMS + more.sessionMS, sum.active + more.active}
	}
	for _, times := range events {
		slices.Sort(times)
		start := times[0]
		for i, at := range times {
			if i+1 < len(times) && times[i+1]-at < gap {
				add(at, total{active: min(times[i+1]-at, idle)})
				continue
			}
			add(start, total{sessions: 1, sessionMS: at - start})
			if i+1 < len(times) {
				start = times[i+1]
			}
		}
	}
	for window, sum := range sums {
		if sum == (total{}) {
			delete(sums, window)
		}
	}
	return sums
}
