package backtest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tidemark/internal/simulate"
	"tidemark/schemas"
	"tidemark/schemas/rules"
	"tidemark/sinks/clickhouse/views"
)

// loaded are the rules of a text, without the pack; empty: the pack.
func loaded(t *testing.T, text string) []*rules.Rule {
	t.Helper()
	cat, err := schemas.Builtin()
	require.NoError(t, err)
	tables, err := views.Tables(cat)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "own.yaml")
	require.NoError(t, os.WriteFile(path, []byte("pack: none\n"+text), 0o600))
	all, err := rules.Load(cat, tables, path)
	require.NoError(t, err)
	return all
}

// life is what the simulator made an account do, by the day.
type life struct {
	events map[int64]float64
	users  map[int64]map[string]bool
	lost   time.Time
}

const daySeconds = 86400

// lives folds the simulator's past. Lost are the accounts whose story is to churn, from when their record says so.
func lives(t *testing.T, plan simulate.Plan) map[string]*life {
	t.Helper()
	g, err := simulate.NewGenerator(plan)
	require.NoError(t, err)
	out := map[string]*life{}
	of := func(account string) *life {
		if out[account] == nil {
			out[account] = &life{events: map[int64]float64{}, users: map[int64]map[string]bool{}}
		}
		return out[account]
	}
	groups := map[string]string{}
	for {
		m, more := g.Next()
		if !more {
			return out
		}
		var e struct {
			Type, Event, UserID, AnonymousID, GroupID string
			Context                                   struct{ GroupID string }
			Stage, At                                 string
			Account                                   string `json:"account_id"`
		}
		if json.Unmarshal(m.Body, &e) != nil {
			continue // the simulator sends rubbish too
		}
		user := e.UserID + "/" + e.AnonymousID
		switch {
		case m.Via == simulate.Accounts && e.Stage == "churned":
			at, err := time.Parse(time.RFC3339, e.At)
			require.NoError(t, err)
			of(e.Account).lost = at
		case m.Via == simulate.Accounts && e.Account != "":
			of(e.Account)
		case e.Type == "group":
			groups[user] = e.GroupID
		case e.Type == "track" && (m.Via == simulate.HTTP || m.Via == simulate.Telemetry):
			account := e.Context.GroupID
			if account == "" {
				account = groups[user]
			}
			if account == "" || strings.Contains(e.Event, "Signed") || strings.Contains(e.Event, "Log") {
				continue
			}
			l, day := of(account), m.At.Unix()/daySeconds
			l.events[day]++
			if l.users[day] == nil {
				l.users[day] = map[string]bool{}
			}
			l.users[day][user] = true
		}
	}
}

// window sums up the days before at.
func (l *life) window(at time.Time, n int64) (events, users float64) {
	last := at.Unix() / daySeconds
	seen := map[string]bool{}
	for d := last - n; d < last; d++ {
		events += l.events[d]
		for u := range l.users[d] {
			seen[u] = true
		}
	}
	return events, float64(len(seen))
}

// value is what the views show of the life, of the inputs of the rules that are played here.
func (l *life) value(in rules.Input, at time.Time) rules.Value {
	at = at.Add(-time.Duration(in.Back) * in.Shape.Size)
	week, _ := l.window(at, 7)
	month, _ := l.window(at.Add(-7*24*time.Hour), 28)
	usual := month / 4
	switch in.View + "." + in.Column {
	case "usage_14d.active_users":
		_, users := l.window(at, 14)
		return rules.Num(users)
	case "usage_28d.active_users":
		_, users := l.window(at, 28)
		return rules.Num(users)
	case "usage_pattern_28d.events_7d":
		return rules.Num(week)
	case "usage_pattern_28d.events_7d_usual":
		return rules.Num(usual)
	case "usage_pattern_28d.is_low":
		return rules.Truth(usual > 0 && week < 0.5*usual)
	case "accounts.stage":
		if !l.lost.IsZero() && !at.Before(l.lost) {
			return rules.Str("churned")
		}
		return rules.Str("adopted")
	default:
		return rules.Value{}
	}
}

// TestStoriesAreForetold plays the shipped pack over simulated accounts whose stories are known: those that are lost use less and
// less before.
func TestStoriesAreForetold(t *testing.T) {
	const history = 84 * 24 * time.Hour
	plan := simulate.Plan{Seed: 11, Accounts: 30, Start: time.Date(2026, 9, 21, 0, 0, 0, 0, time.UTC), History: history}
	all := lives(t, plan)
	require.Len(t, all, 30)
	r := Range{From: plan.Start.Add(-history + 35*24*time.Hour), To: plan.Start}
	var accounts []string
	var picked []*rules.Rule
	for _, rule := range shipped(t) {
		if rule.Name == "usage_low" || rule.Name == "silent" || rule.Name == "churned_by_behaviour" {
			picked = append(picked, rule)
		}
	}
	episodes := map[string][]Episode{}
	for id, l := range all {
		accounts = append(accounts, id)
		played, err := Play(picked, Account{ID: id, Value: l.value, Segment: func(time.Time) string { return "" }}, r.From, r.To)
		require.NoError(t, err)
		for _, rule := range picked {
			episodes[rule.Name] = append(episodes[rule.Name], Episodes(id, rule.Name, played.Told)...)
		}
	}
	s := Judge(episodes["usage_low"], accounts, func(a string) time.Time { return all[a].lost }, r, 28*24*time.Hour)
	precision, ok := s.Precision()
	require.True(t, ok)
	recall, ok := s.Recall()
	require.True(t, ok)
	t.Logf("usage_low before a customer is lost: precision %.2f (%d of %d alerts), recall %.2f (%d of %d), %s ahead in the median; %d undecided",
		precision, s.Right, s.Alerts, recall, s.Foretold, s.Lost, s.Lead, s.Undecided)
	require.Equal(t, 3, s.Lost)
	require.GreaterOrEqual(t, recall, 0.8)
	require.GreaterOrEqual(t, precision, 0.8)
}
