package triggers

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	sink "tidemark/sinks/clickhouse"
)

// ErrDeposed says that another process has taken over: nothing was stored.
var ErrDeposed = errors.New("another process has taken over the triggers")

// Store keeps transitions and states in ClickHouse.
//
// Every row is inserted on the condition, which ClickHouse itself checks, that nobody has taken over since. A process that is
// deposed while it sleeps may at worst have one insert under way, whose ids are those that its successor comes to.
type Store struct {
	client *sink.Client
	leader string
}

// key names a state.
type key struct{ rule, account string }

// row is a transition to store: the columns of alert_transitions.
type row struct {
	ID        string   `json:"id"`
	AlertID   string   `json:"alert_id"`
	Seq       uint32   `json:"seq"`
	Kind      Kind     `json:"kind"`
	Rule      string   `json:"rule"`
	Account   string   `json:"account_id"`
	Episode   uint64   `json:"episode"`
	Severity  string   `json:"severity"`
	Level     int      `json:"level"`
	Value     *float64 `json:"value"`
	At        int64    `json:"at"` // Unix ms
	KnownAt   int64    `json:"known_at"`
	NotBefore int64    `json:"not_before"`
	Final     bool     `json:"final"`
	Playbook  string   `json:"playbook"`
	Owner     string   `json:"owner"`
	Targets   []string `json:"targets"`
	Payload   string   `json:"payload"`
	State     string   `json:"state"`
	Version   uint64   `json:"version"`
}

// TakeOver makes this process the one whose rows are taken.
func TakeOver(ctx context.Context, client *sink.Client) (*Store, error) {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	s := &Store{client: client, leader: host + "-" + rand.Text()}
	const insert = `INSERT INTO trigger_leaders (epoch, leader, at) SELECT max(epoch) + 1, {leader:String}, now64(3) FROM trigger_leaders`
	if err := client.Conn().Exec(client.InsertContext(ctx), insert, named("leader", s.leader)); err != nil {
		return nil, fmt.Errorf("take over the triggers: %w", err)
	}
	return s, s.leads(ctx)
}

const leads = "(SELECT argMax(leader, (epoch, leader)) FROM trigger_leaders) = {leader:String}"

func (s *Store) leads(ctx context.Context) error {
	var mine bool
	if err := s.client.Conn().QueryRow(s.client.LoadContext(ctx), "SELECT "+leads, named("leader", s.leader)).Scan(&mine); err != nil {
		return fmt.Errorf("ask who leads: %w", err)
	}
	if !mine {
		return ErrDeposed
	}
	return nil
}

// insertPart is how much text an insert carries: its rows travel in the query's parameters, and each has the insert's fsync.
const insertPart = 4 << 20

const insertTransitions = `INSERT INTO alert_transitions (id, alert_id, seq, kind, rule, account_id, episode, severity, level, value, at, known_at, not_before, final, playbook, owner, targets, payload, state, version, leader)
SELECT t.id, t.alert_id, t.seq, t.kind, t.rule, t.account_id, t.episode, t.severity, t.level, t.value,
    fromUnixTimestamp64Milli(t.at, 'UTC'), fromUnixTimestamp64Milli(t.known_at, 'UTC'), fromUnixTimestamp64Milli(t.not_before, 'UTC'),
    t.final, t.playbook, t.owner, t.targets, t.payload, t.state, t.version, {leader:String}
FROM (SELECT JSONExtract(arrayJoin(JSONExtractArrayRaw({rows:String})), 'Tuple(id String, alert_id String, seq UInt32, kind String, rule String, account_id String, episode UInt64, severity String, level UInt16, value Nullable(Float64), at Int64, known_at Int64, not_before Int64, final Bool, playbook String, owner String, targets Array(String), payload String, state String, version UInt64)') AS t)
WHERE ` + leads

const insertStates = `INSERT INTO trigger_states (rule, account_id, state, version, known_at, leader)
SELECT t.rule, t.account_id, t.state, t.version, fromUnixTimestamp64Milli(t.known_at, 'UTC'), {leader:String}
FROM (SELECT JSONExtract(arrayJoin(JSONExtractArrayRaw({rows:String})), 'Tuple(rule String, account_id String, state String, version UInt64, known_at Int64)') AS t)
WHERE ` + leads

// Save stores transitions, and states that changed without one. It may be repeated.
func (s *Store) Save(ctx context.Context, transitions, states []row) error {
	for _, insert := range []struct {
		query string
		rows  []row
	}{{insertTransitions, transitions}, {insertStates, states}} {
		texts, err := inserts(insert.rows)
		if err != nil {
			return err
		}
		for _, text := range texts {
			if err := s.client.Conn().Exec(s.client.InsertContext(ctx), insert.query, named("rows", text), named("leader", s.leader)); err != nil {
				return fmt.Errorf("store %d rows: %w", len(insert.rows), err)
			}
		}
	}
	return s.leads(ctx)
}

// inserts are the rows as arrays in JSON, each about as long as an insert may be.
func inserts(rows []row) ([]string, error) {
	var out []string
	var b strings.Builder
	for i, r := range rows {
		text, err := json.Marshal(r)
		if err != nil {
			return nil, fmt.Errorf("encode what is told of %s: %w", r.Account, err)
		}
		b.WriteByte(map[bool]byte{true: '[', false: ','}[b.Len() == 0])
		b.Write(text)
		if b.Len() >= insertPart || i == len(rows)-1 {
			b.WriteByte(']')
			out = append(out, b.String())
			b.Reset()
		}
	}
	return out, nil
}

// load reads every state. A transition carries the state after it, so that the two cannot disagree.
func (s *Store) load(ctx context.Context) (map[key]State, error) {
	const query = `SELECT rule, account_id, argMax(state, version) FROM (
SELECT rule, account_id, state, version FROM trigger_states UNION ALL SELECT rule, account_id, state, version FROM alert_transitions FINAL
) GROUP BY rule, account_id`
	out := map[key]State{}
	err := sink.Each(s.client.LoadContext(ctx), s.client.Conn(), query, func(rows driver.Rows) error {
		var k key
		var text string
		if err := rows.Scan(&k.rule, &k.account, &text); err != nil {
			return err
		}
		var state State
		if err := json.Unmarshal([]byte(text), &state); err != nil {
			return fmt.Errorf("state of the rule %s for %s: %w", k.rule, k.account, err)
		}
		out[k] = state
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("load the states of the rules: %w", err)
	}
	return out, nil
}

// Silence keeps a rule, or every rule, from firing anew on an account, or on every account, for some time.
type Silence struct {
	ID, Rule, Account string
	From, To          time.Time
	Reason, By        string
}

// mutes reports whether the silence is of the rule and account, and holds at the time.
func (s Silence) mutes(rule, account string, at time.Time) bool {
	return (s.Rule == "" || s.Rule == rule) && (s.Account == "" || s.Account == account) && !at.Before(s.From) && at.Before(s.To)
}

// Silences lists the silences that are not over.
func Silences(ctx context.Context, client *sink.Client) ([]Silence, error) {
	var out []Silence
	const query = "SELECT id, rule, account_id, starts_at, ends_at, reason, created_by FROM silences FINAL WHERE ends_at > now64(3) ORDER BY starts_at, id"
	err := sink.Each(client.LoadContext(ctx), client.Conn(), query, func(rows driver.Rows) error {
		var s Silence
		err := rows.Scan(&s.ID, &s.Rule, &s.Account, &s.From, &s.To, &s.Reason, &s.By)
		out = append(out, s)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the silences: %w", err)
	}
	return out, nil
}

// AddSilence stores a silence; one with the id of another replaces it.
func AddSilence(ctx context.Context, client *sink.Client, s Silence) error {
	const insert = `INSERT INTO silences (id, rule, account_id, starts_at, ends_at, reason, created_by, changed_at)
SELECT {id:String}, {rule:String}, {account:String}, fromUnixTimestamp64Milli({from:Int64}, 'UTC'), fromUnixTimestamp64Milli({to:Int64}, 'UTC'), {reason:String}, {by:String}, now64(3)`
	err := client.Conn().Exec(client.InsertContext(ctx), insert, named("id", s.ID), named("rule", s.Rule), named("account", s.Account),
		named("from", s.From.UnixMilli()), named("to", s.To.UnixMilli()), named("reason", s.Reason), named("by", s.By))
	if err != nil {
		return fmt.Errorf("store the silence: %w", err)
	}
	return nil
}
