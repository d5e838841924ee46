package worker

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tidemark/internal/chmodel"
	"tidemark/pipeline/decode"
	"tidemark/schemas"
	"tidemark/sinks/clickhouse"
)

var base = time.Date(2026, 11, 20, 23, 50, 0, 0, time.UTC)

func spec(t require.TestingT, content Content) Spec {
	c, err := schemas.Builtin()
	require.NoError(t, err)
	p, err := schemas.Compile(c)
	require.NoError(t, err)
	return Spec{
		Source: "telemetry/0@id", Content: content, Program: p,
		Limits:       decode.Limits{MaxFuture: 10 * time.Minute, MaxAge: 43800 * time.Hour},
		Retention:    [3]time.Duration{336 * time.Hour, 9600 * time.Hour, 43800 * time.Hour},
		Disorder:     time.Minute,
		DedupRecords: 12,
		MaxFeatures:  3,
	}
}

// drawLog draws a log with everything that can go wrong in it: late, early, repeated, broken, unknown accounts, gaps.
func drawLog(t *rapid.T) []Record {
	var log []Record
	var values []string
	offset := uint64(0)
	for i := range rapid.IntRange(1, 120).Draw(t, "records") {
		offset += rapid.Uint64Range(1, 2).Draw(t, "gap")
		at := base.Add(time.Duration(i) * 20 * time.Second)
		if rapid.IntRange(0, 4).Draw(t, "late") == 0 {
			at = at.Add(-time.Duration(rapid.IntRange(0, 20*24*60).Draw(t, "minutes")) * time.Minute)
		}
		user := rapid.SampledFrom([]string{"ann", "bob", "cy"}).Draw(t, "user")
		account := rapid.SampledFrom([]string{`,"context":{"groupId":"acme"}`, `,"context":{"groupId":"zeta"}`, ""}).Draw(t, "account")
		when := fmt.Sprintf(`,"timestamp":%q,"receivedAt":%q`, at.Format(time.RFC3339Nano), base.Add(time.Duration(i)*20*time.Second).Format(time.RFC3339Nano))
		id := fmt.Sprintf(`,"messageId":"m%d"`, i)
		head := fmt.Sprintf(`{"userId":%q%s%s%s`, user, account, when, id)
		var v string
		switch rapid.IntRange(0, 9).Draw(t, "kind") {
		case 0:
			v = fmt.Sprintf(`{"type":"group","userId":%q,"groupId":%q%s%s}`, user, rapid.SampledFrom([]string{"acme", "zeta"}).Draw(t, "group"), when, id)
		case 1:
			v = head + `,"type":"page"}`
		case 2:
			v = head + `,"type":"track","event":"$exception","properties":{"feature":"f1"}}`
		case 3:
			v = head + fmt.Sprintf(`,"type":"track","event":%q}`, rapid.SampledFrom([]string{"Report Started", "Report Published", "Signed In"}).Draw(t, "event"))
		case 4:
			v = rapid.SampledFrom([]string{`{"type":`, `{"type":"alias","userId":"ann"}`, head + `,"type":"track"}`}).Draw(t, "broken")
		case 5:
			if len(values) > 0 {
				v = values[rapid.IntRange(max(0, len(values)-15), len(values)-1).Draw(t, "repeat")]
				break
			}
			fallthrough
		default:
			v = head + fmt.Sprintf(`,"type":"track","event":"Use","properties":{"feature":"f%d","duration_ms":%d}}`,
				rapid.IntRange(1, 6).Draw(t, "feature"), rapid.IntRange(0, 50).Draw(t, "ms"))
		}
		values = append(values, v)
		log = append(log, Record{Offset: offset, Time: base.Add(time.Duration(i) * 20 * time.Second).UnixMilli(), Value: []byte(v)})
	}
	return log
}

// step steps a record, loading what it needs from the model.
func step(t require.TestingT, c *Core, m *chmodel.Model, rest []Record) {
	for tries := 0; ; tries++ {
		v, _ := c.Step(&rest[0])
		if v != Blocked {
			return
		}
		require.Less(t, tries, 3, "loading does not unblock")
		var needs Needs
		for i := range rest {
			c.Look(&rest[i], &needs)
		}
		require.False(t, needs.Empty(), "blocked, but nothing is needed")
		satisfy(t, c, m, &needs)
	}
}

// satisfy loads what the core needs.
func satisfy(t require.TestingT, c *Core, m *chmodel.Model, needs *Needs) {
	rows, err := m.WindowCounters(context.Background(), c.spec.Source, needs.Windows)
	require.NoError(t, err)
	accounts, err := m.UserAccounts(context.Background(), c.spec.Source, needs.Users, c.Position())
	require.NoError(t, err)
	c.Install(needs, rows, accounts)
}

func open(t require.TestingT, m *chmodel.Model, s Spec, watermark int64) *clickhouse.Counters {
	rows, err := m.OpenCounters(context.Background(), s.Source, watermark)
	require.NoError(t, err)
	return rows
}

// straight folds the log in one go and returns what a reader sees and the final account.
func straight(t require.TestingT, s Spec, log []Record) (*chmodel.Model, clickhouse.Checkpoint) {
	m := chmodel.New()
	c := NewCore(s, 0)
	for i := range log {
		step(t, c, m, log[i:])
	}
	f := c.Take()
	m.Apply(f.Rows, nil)
	return m, f.Checkpoint
}

// TestAnyRunGivesTheSameRows holds invariants 1, 2, 4 and 5: however the log is cut into flushes, wherever the worker dies,
// whatever part of an insert got through, and whoever else still writes, the final rows and accounts are the same.
//
//tidemark:proves "killed between insert and commit": 1 2 4 5
//tidemark:proves "killed in mid-insert": 1 2 4 5
//tidemark:proves "a worker is cut off from Kafka and writes on (a zombie)": 1 2 4 5
//tidemark:proves "events come hours or weeks late": 1 2 4 5
//tidemark:proves "events come twice": 1 5
//tidemark:proves "more windows, users or features come than memory may hold": 1 2 4 5
func TestAnyRunGivesTheSameRows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { anyRun(t, spec(t, Telemetry), drawLog(t)) })
}

// anyRun draws a run over the log and holds that it comes to the rows of a straight one.
func anyRun(t *rapid.T, s Spec, log []Record) {
	want, account := straight(t, s, log)

	m := chmodel.New()
	c := NewCore(s, 0)
	var committed *Flush
	var zombies []*clickhouse.Batch
	crashes := 0
	for i := 0; i < len(log); {
		step(t, c, m, log[i:])
		i++
		switch rapid.IntRange(0, 9).Draw(t, "then") {
		case 0, 1, 2: // flush, commit, let go of memory
			f := c.Take()
			m.Apply(f.Rows, nil)
			committed = &f
			c.Written(f, 8)
		case 3: // die in mid-insert: some rows got through, the others never do, or come from the grave later
			if crashes++; crashes > 8 {
				continue
			}
			f := c.Take()
			m.Apply(f.Rows, func() bool { return rapid.IntRange(0, 1).Draw(t, "through") == 1 })
			zombies = append(zombies, f.Rows)
			c, i = restart(t, s, m, committed, log)
		case 4: // a zombie wakes up and writes what it had, some of it again
			if len(zombies) > 0 {
				m.Apply(zombies[rapid.IntRange(0, len(zombies)-1).Draw(t, "zombie")], nil)
			}
		}
	}
	f := c.Take()
	m.Apply(f.Rows, nil)
	require.Equal(t, account, f.Checkpoint)
	require.Equal(t, f.Checkpoint.Received, f.Checkpoint.Applied+f.Checkpoint.Duplicate+f.Checkpoint.Filtered+f.Checkpoint.DeadLettered)
	require.Empty(t, cmp.Diff(want.Final(), m.Final()))
}

// restart recovers from the last commit, as the shell does.
func restart(t require.TestingT, s Spec, m *chmodel.Model, last *Flush, log []Record) (c *Core, next int) {
	c = NewCore(s, 0)
	if last == nil { // nothing was ever committed: rows may be there all the same, and none may be trusted not to be
		c.Resume(clickhouse.Checkpoint{Source: s.Source}, open(t, m, s, 0))
		return c, 0
	}
	open := open(t, m, s, last.Checkpoint.Watermark)
	require.GreaterOrEqual(t, len(open.Value), last.OpenRows, "recovery must find the rows that the commit promises")
	c.Resume(last.Checkpoint, open)
	require.Equal(t, last.WarmFrom, c.WarmFrom())
	for next < len(log) && log[next].Offset < last.Checkpoint.Offset {
		if log[next].Offset >= c.WarmFrom() {
			c.Warm(&log[next])
		}
		next++
	}
	return c, next
}
