package backtest

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tidemark/internal/cataloguetest"
	"tidemark/internal/devclickhouse"
	"tidemark/internal/devclickhouse/chtest"
	"tidemark/internal/simulate"
	"tidemark/schemas"
	"tidemark/schemas/rules"
)

// stories are what internal/simulate makes of accounts, dealt out in turn by the number at the end of the account's id.
var stories = []string{"healthy", "growing", "onboarding", "healthy", "at risk", "silent", "healthy", "churned", "growing", "healthy"}

func storyOf(t *testing.T, account string) string {
	t.Helper()
	n, err := strconv.Atoi(account[strings.LastIndex(account, "-")+1:])
	require.NoError(t, err, account)
	return stories[n%len(stories)]
}

// truths are of which stories a rule must tell, and of which it may: of all others it tells wrongly. Rules that are not here are true of no story.
var truths = []struct{ rule, must, may, why string }{
	{"escalations", "at risk, churned", "", "unhappy customers have half of their tickets escalated"},
	{"usage_low", "churned", "at risk", "their usage falls to nothing, or to a sixth"},
	{"near_limit_seats", "healthy", "growing, onboarding, at risk, churned", "three users and one more for each four of 5 to 44 seats use the product, of which the growing buy more"},
	{"near_limit_meter", "healthy, growing, onboarding", "at risk", "calls of the API go with usage: 64 to 96 % of the limit at the usual"},
	{"under_use_seats", "silent", "at risk, churned", "nobody uses the seats"},
	{"milestone", "onboarding", "healthy, growing, at risk, churned", "they begin within the time; others reach goals now and then"},
	{"onboarding_stalled", "silent", "", "they never began the checklist"},
	{"survey_moment", "onboarding", "healthy, growing, at risk, churned", "milestones and changes of health; of the silent there is nobody to ask"},
	{"health_poor", "churned, silent", "at risk", "nobody uses it, and what is used fails"},
	{"health_declined", "churned", "at risk", "usage falls, tickets are escalated"},
	{"renewal_at_risk", "churned, soon", "silent, at risk", "nobody uses it, and the contract ends within 90 days, which is so of some only"},
	{"churned", "churned", "", "their record says so"},
	{"expanded", "growing", "", "they buy seats twice"},
}

var update = flag.Bool("update", false, "play thrice as many accounts, and write the figures into docs/triggers.md")

// Between these lines of docs/triggers.md stand the figures.
const storiesBegin, storiesEnd = "<!-- stories: make backtest-stories -->\n", "<!-- end of stories -->\n"

// TestStoriesAreForetold plays the whole shipped pack over simulated accounts whose stories are known: the simulator's records, folded by the
// pipeline, read through the views. Its rules together find most of whom they should, and are mostly right; of ten accounts single rules tell too little.
func TestStoriesAreForetold(t *testing.T) {
	const history = 84 * 24 * time.Hour
	accounts := len(stories)
	if *update {
		accounts *= 3
	}
	plan := simulate.Plan{Seed: 11, Accounts: accounts, Start: time.Date(2026, 9, 21, 0, 0, 0, 0, time.UTC), History: history}
	cat, err := schemas.Builtin()
	require.NoError(t, err)
	runner, err := cataloguetest.Start(t.Context(), cataloguetest.Options{
		Catalogue: cat, Now: plan.Start, Pipeline: cataloguetest.Pipeline(), Engine: devclickhouse.Options{Dir: t.TempDir(), EngineCommand: chtest.Command(t)},
	})
	require.NoError(t, err)
	defer func() { require.NoError(t, runner.Close()) }()
	records := told(t, plan)
	_, err = runner.Load(t.Context(), records) // the simulator sends rubbish too
	require.NoError(t, err)
	all := shipped(t)
	r := Range{From: plan.Start.Add(-history + 35*24*time.Hour), To: plan.Start, Present: true}
	h, err := ReadHistory(t.Context(), runner.Conn(), all, r)
	require.NoError(t, err)
	require.Len(t, h.Accounts, plan.Accounts)
	alerted := map[string]map[string]int{} // episodes, by rule and account
	for _, id := range h.Accounts {
		played, err := Play(all, h.Account(id), r.From, r.To)
		require.NoError(t, err)
		for _, rule := range all {
			if alerted[rule.Name] == nil {
				alerted[rule.Name] = map[string]int{}
			}
			alerted[rule.Name][id] = len(Episodes(id, rule.Name, played.Told))
		}
	}
	table := figures(t, all, h, alerted)
	t.Logf("%d records:\n%s", len(records), table)
	if !*update {
		return
	}
	const page = "../../docs/triggers.md"
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	before, rest, ok := bytes.Cut(text, []byte(storiesBegin))
	require.True(t, ok)
	_, after, ok := bytes.Cut(rest, []byte(storiesEnd))
	require.True(t, ok)
	now := slices.Concat(before, []byte(storiesBegin), []byte(table), []byte(storiesEnd), after)
	require.NoError(t, os.WriteFile(page, now, 0o600))
}

// figures are a table of precision and recall of every rule that a story makes true, which it holds to bounds.
func figures(t *testing.T, all []*rules.Rule, h *History, alerted map[string]map[string]int) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("| rule | of the stories | precision | recall | why |\n|---|---|---|---|---|\n")
	var silent []string
	var sum struct{ alerts, right, must, found int }
	for _, rule := range all {
		i := slices.IndexFunc(truths, func(truth struct{ rule, must, may, why string }) bool { return truth.rule == rule.Name })
		alerts, right, must, found := 0, 0, 0, 0
		var truth struct{ rule, must, may, why string }
		if i >= 0 {
			truth = truths[i]
		}
		told := map[string]int{} // by story
		for _, a := range h.Accounts {
			story := storyOf(t, a)
			n := alerted[rule.Name][a]
			alerts += n
			told[story] += n
			musts := slices.Contains(strings.Split(truth.must, ", "), story) && (!strings.Contains(truth.must, "soon") || renewsSoon(h, a))
			if musts || slices.Contains(strings.Split(truth.may, ", "), story) {
				right += n
			}
			if musts {
				must++
				found += min(n, 1)
			}
		}
		t.Logf("%s: %v", rule.Name, told)
		if i < 0 {
			silent = append(silent, fmt.Sprintf("`%s` %d", rule.Name, alerts))
			continue
		}
		sum.alerts, sum.right, sum.must, sum.found = sum.alerts+alerts, sum.right+right, sum.must+must, sum.found+found
		stories := truth.must
		if truth.may != "" {
			stories += " (" + truth.may + ")"
		}
		precision := "no alert"
		if alerts > 0 {
			precision = fmt.Sprintf("%.2f, %d of %d alerts", float64(right)/float64(alerts), right, alerts)
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %.2f, %d of %d accounts | %s |\n", rule.Name, stories, precision, float64(found)/float64(max(1, must)), found, must, truth.why)
	}
	t.Logf("together: %+v", sum)
	require.GreaterOrEqual(t, float64(sum.right), 0.75*float64(sum.alerts), "precision")
	require.GreaterOrEqual(t, float64(sum.found), 0.8*float64(sum.must), "recall")
	fmt.Fprintf(&b, "\nNo story makes the others true; their alerts: %s.\n", strings.Join(silent, ", "))
	return b.String()
}

// renewsSoon reports whether an account's contract ends within 90 days of the last instant.
func renewsSoon(h *History, account string) bool {
	at := h.Account(account).Value(rules.Input{Kind: rules.OfAccount, View: "accounts", Column: "renewal_at"}, h.to)
	return at.Known && at.Time.Sub(h.to) <= 90*24*time.Hour
}

// told are the records of a plan, as the collector writes them: every event names the account of its user.
func told(t *testing.T, plan simulate.Plan) []cataloguetest.Record {
	t.Helper()
	g, err := simulate.NewGenerator(plan)
	require.NoError(t, err)
	var all []simulate.Message
	accounts := map[string]string{} // of users
	for m, more := g.Next(); more; m, more = g.Next() {
		all = append(all, m)
		var e struct {
			Type, UserID, AnonymousID, GroupID string
			Traits                             struct{ Company struct{ ID string } }
		}
		if m.Via != simulate.HTTP || json.Unmarshal(m.Body, &e) != nil {
			continue
		}
		user := e.UserID + "/" + e.AnonymousID
		switch {
		case e.Type == "group":
			accounts[user] = e.GroupID
		case e.Type == "identify" && e.Traits.Company.ID != "":
			accounts[user] = e.Traits.Company.ID
		}
	}
	topics := map[simulate.Via]string{
		simulate.HTTP: cataloguetest.Telemetry, simulate.Telemetry: cataloguetest.Telemetry, simulate.Tickets: cataloguetest.Tickets,
		simulate.Accounts: cataloguetest.Accounts, simulate.Signals: cataloguetest.Signals,
	}
	var out []cataloguetest.Record
	for _, m := range all {
		r := cataloguetest.Record{Topic: topics[m.Via], Key: m.Key, Value: m.Body, At: m.At}
		var e map[string]any
		if m.Via == simulate.HTTP && json.Unmarshal(m.Body, &e) == nil {
			user, _ := e["userId"].(string)
			anonymous, _ := e["anonymousId"].(string)
			context, _ := e["context"].(map[string]any)
			if context == nil {
				context = map[string]any{}
				e["context"] = context
			}
			if context["groupId"] == nil && accounts[user+"/"+anonymous] != "" {
				context["groupId"] = accounts[user+"/"+anonymous]
			}
			e["receivedAt"], e["originalTimestamp"] = m.At.Format(time.RFC3339Nano), e["timestamp"]
			r.Value, err = json.Marshal(e)
			require.NoError(t, err)
		}
		out = append(out, r)
	}
	return out
}
