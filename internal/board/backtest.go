package board

import (
	"cmp"
	"context"
	"fmt"
	"html/template"
	"slices"
	"strings"
	"time"

	"tidemark/internal/backtest"
	"tidemark/schemas/rules"
)

// horizon is how long before a customer is lost an alert counts as a warning, as in tidemark triggers backtest.
const horizon = 90 * 24 * time.Hour

// maxPlayed is how many accounts the chart of a back-test has at most; the CSV has all.
const maxPlayed = 60

// played plays the rule that the viewer chose over the past, and lists the rules before one was chosen: a back-test reads all of
// the past that is asked for.
func played(ctx context.Context, s *store, q query) (content, error) {
	if len(s.rules) == 0 {
		return Message{"The rules are not known here", "They are those of triggers.rules, which a viewer of a tenant does not see."}, nil
	}
	name := q.get("rule", "")
	if !slices.ContainsFunc(s.rules, func(r *rules.Rule) bool { return r.Name == name }) {
		return rulesTable(s.rules, q), nil
	}
	midnight := q.now.Truncate(24 * time.Hour)
	past := backtest.Range{From: midnight.AddDate(0, 0, -q.days()), To: midnight}
	report, err := backtest.Run(ctx, s.conn, s.rules, name, past, horizon)
	if err != nil {
		if ctx.Err() != nil {
			return nil, err
		}
		return Message{"That rule cannot be played over the past", err.Error()}, nil
	}
	return Stack{verdict(report), firingByDay(report), episodesTable(report, q.all)}, nil
}

// rulesTable lists the rules; each leads to its back-test.
func rulesTable(all []*rules.Rule, q query) *Table {
	t := &Table{Caption: "Rules: choose one to play it over the past", Columns: []Column{
		{Name: "rule", Label: "Rule"}, {Name: "severity", Label: "Severity"}, {Name: "description", Label: "What it says"}, {Name: "when", Label: "When"},
	}}
	for _, r := range slices.SortedFunc(slices.Values(all), func(a, b *rules.Rule) int { return cmp.Compare(a.Name, b.Name) }) {
		t.Rows = append(t.Rows, []Cell{
			Link(r.Name, q.with("rule", r.Name)+"#panel-backtest"), severityCell(r.Severity), Text(r.Description), Text(strings.Join(strings.Fields(r.When.Source), " ")),
		})
	}
	return t
}

// verdict says how often a rule would have fired, and how right it would have been.
func verdict(r backtest.Report) Figures {
	share := func(v float64, ok bool) Cell {
		if !ok {
			return Cell{Kind: Percent}
		}
		return Num(Percent, v)
	}
	accounts := map[string]bool{}
	for _, e := range r.Episodes {
		accounts[e.Account] = true
	}
	lead := Cell{Kind: Seconds}
	if r.Score.Foretold > 0 {
		lead = Num(Seconds, r.Score.Lead.Seconds())
	}
	s := r.Score
	return Figures{
		{Label: "Alerts", Value: Num(Number, len(r.Episodes))},
		{Label: "Accounts", Value: Num(Number, len(accounts)), Note: fmt.Sprintf("of %d", r.Accounts)},
		{Label: "Customers lost", Value: Num(Number, s.Lost), Note: fmt.Sprintf("%d of them foretold", s.Foretold)},
		{Label: "Precision", Value: share(s.Precision()), Note: fmt.Sprintf("%d of %d alerts; %d are too recent to tell", s.Right, s.Alerts, s.Undecided)},
		{Label: "Recall", Value: share(s.Recall())},
		{Label: "Lead", Value: lead, Note: "in the median, from the alert to the loss"},
	}
}

// firingByDay is on how many accounts the rule would have fired, by the day.
func firingByDay(r backtest.Report) *Chart {
	c := &Chart{Title: "Accounts on which it would have fired, by the day", Kind: Number, Days: true}
	var firing []*float64
	for day := r.Range.From; day.Before(r.Range.To); day = day.AddDate(0, 0, 1) {
		on := map[string]bool{}
		for _, e := range r.Episodes {
			if e.From.Before(day.AddDate(0, 0, 1)) && (e.To.IsZero() || e.To.After(day)) {
				on[e.Account] = true
			}
		}
		c.Times, firing = append(c.Times, day.Unix()), append(firing, number(uint64(len(on))))
	}
	for account, at := range r.Lost {
		if !at.Before(r.Range.From) && at.Before(r.Range.To) {
			c.Marks = append(c.Marks, Mark{At: at.Unix(), Kind: "escalation", Text: account + " was lost", Link: accountURL(account)})
		}
	}
	slices.SortFunc(c.Marks, func(a, b Mark) int { return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.Text, b.Text)) })
	c.Series = []Series{{Label: "Accounts", Style: "bars", Values: firing}}
	return c
}

// episodesTable has a line an account, in the order in which the rule first fired on them.
func episodesTable(r backtest.Report, all bool) *Table {
	t := &Table{Caption: "Where it would have fired", Empty: "It would not have fired.", Columns: []Column{
		{Name: "account", Label: "Account"}, {Name: "time", Label: "When"}, {Name: "alerts", Label: "Alerts", Kind: Number}, {Name: "first", Label: "First", Kind: When}, {Name: "firing", Label: "Firing", Kind: Seconds},
		{Name: "now", Label: "At the end"}, {Name: "lost_at", Label: "Lost", Kind: When},
	}}
	var order []string
	of := map[string][]backtest.Episode{}
	for _, e := range slices.SortedStableFunc(slices.Values(r.Episodes), func(a, b backtest.Episode) int { return a.From.Compare(b.From) }) {
		if of[e.Account] == nil {
			order = append(order, e.Account)
		}
		of[e.Account] = append(of[e.Account], e)
	}
	if len(order) > maxPlayed && !all {
		t.Caption += fmt.Sprintf(": %d accounts of %d, the others are in the CSV", maxPlayed, len(order))
		order = order[:maxPlayed]
	}
	for _, account := range order {
		var firing time.Duration
		state := Cell{Text: "over", State: "quiet"}
		for _, e := range of[account] {
			firing += e.Duration(r.Range.To)
			if e.To.IsZero() {
				state = Cell{Text: "firing", State: "bad"}
			}
		}
		t.Rows = append(t.Rows, []Cell{
			Link(account, accountURL(account)), {HTML: episodesLine(r, account, of[account])}, Num(Number, len(of[account])), At(When, of[account][0].From), Num(Seconds, firing.Seconds()),
			state, At(When, r.Lost[account]),
		})
	}
	return t
}

// episodesLine draws when the rule fired on an account, and a diamond where the customer was lost. The columns beside it say the same.
func episodesLine(r backtest.Report, account string, episodes []backtest.Episode) template.HTML {
	line := newTimeline(r.Range.From, r.Range.To)
	for _, e := range episodes {
		to := e.To
		if to.IsZero() {
			to = r.Range.To
		}
		line.bar("open", e.From, to)
	}
	if at := r.Lost[account]; !at.IsZero() {
		line.diamond(at)
	}
	return line.html()
}
