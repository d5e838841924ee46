package board

import (
	"context"
	"slices"
	"strconv"
	"time"
)

func triggersPage() page {
	return page{
		path: "/triggers", title: "Triggers", nav: "Triggers", filters: alertFilters,
		intro: "Which accounts need somebody, why, and who was told.",
		panels: []panel{
			{name: "firing", title: "Firing now", load: firing, every: 2 * time.Second, wide: true, first: true, about: "Alerts that have not ended, of the rules of tidemark triggers run."},
			{name: "evidence", title: "Evidence", load: alertEvidence, every: 5 * time.Second, wide: true, about: "What the alert that was chosen, or else the latest, was judged by, and what became of it."},
			{name: "history", title: "History", load: alertHistory, every: 5 * time.Second, wide: true, about: "Every time that an alert began, reached another level, was amended by late events, or ended."},
			{
				name: "backtest", title: "Back-test", load: played, every: 10 * time.Minute, wide: true,
				about: "When a rule would have fired in the days that were chosen, judged by what is known of them now, late events included, and whether the customers it fired on were lost within 90 days.",
			},
			{name: "silences", title: "Silences", load: silences, every: 5 * time.Second, about: "While one holds, nothing new is told of what it names. tidemark triggers silence makes one."},
			{name: "targets", title: "Where alerts are told", load: alertTargets, every: 5 * time.Second},
		},
	}
}

func alertFilters(ctx context.Context, s *store, q query) (*Filters, error) {
	rows, err := read[struct {
		Rule string `ch:"rule"`
	}](ctx, s, "triggers_rules", nil)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, r := range rows {
		names = append(names, r.Rule)
	}
	for _, r := range s.rules {
		names = append(names, r.Name)
	}
	slices.Sort(names)
	days := q.rangeOfDays()
	days.Label = "Back-test over"
	return q.filters(q.choice("rule", "Rule", slices.Compact(names)), q.search("account", "Account"), days), nil
}

// ofAlerts are the parameters of queries over the alerts that were chosen.
func (q query) ofAlerts() []any {
	return []any{named("rule", q.get("rule", "")), named("account", q.get("account", ""))}
}

// alertURL is where the evidence of an alert is.
func (q query) alertURL(id string) string { return q.with("alert", id) + "#panel-evidence" }

// severityCell marks how grave a rule is.
func severityCell(severity string) Cell {
	states := map[string]string{"page": "bad", "warning": "warn", "info": "quiet"}
	return Cell{Text: severity, State: states[severity]}
}

func firing(ctx context.Context, s *store, q query) (content, error) {
	q.sortBy = "-fired_at"
	order := q.orderBy(map[string]string{"rule": "rule", "account": "account_id", "severity": "indexOf(['info', 'warning', 'page'], severity)", "value": "value", "fired_at": "fired_at", "owner": "owner"})
	rows, err := read[struct {
		alert
		FiredAt time.Time `ch:"fired_at"`
	}](ctx, s, "triggers_firing", q.ofAlerts(), "{order}", order)
	if err != nil {
		return nil, err
	}
	t := &Table{
		Caption: "Alerts that are firing", Query: q, Empty: "Nothing fires.",
		Columns: []Column{
			{Name: "rule", Label: "Rule", Sort: true}, {Name: "account", Label: "Account", Sort: true}, {Name: "severity", Label: "Severity", Sort: true},
			{Name: "value", Label: "Value", Kind: Number, Sort: true}, {Name: "level", Label: "Level", Kind: Number, Help: "Of the rule's ladder; 0 without one"},
			{Name: "fired_at", Label: "Since", Kind: Ago, Sort: true}, {Name: "playbook", Label: "What to do"}, {Name: "owner", Label: "Owner", Sort: true}, {Name: "window", Label: "Judged by"},
		},
	}
	for _, r := range rows {
		window := Text("a complete window")
		if !r.Final {
			window = Cell{Text: "a window that is not over", State: "quiet"}
		}
		t.Rows = append(t.Rows, []Cell{
			Link(r.Rule, q.alertURL(r.Alert)), Link(r.Account, accountURL(r.Account)), severityCell(r.Severity), Maybe(Number, r.Value), Num(Number, r.Level),
			At(Ago, r.FiredAt), Text(r.Playbook), Text(r.Owner), window,
		})
	}
	return t, nil
}

const historyPerPage = 25

func alertHistory(ctx context.Context, s *store, q query) (content, error) {
	perPage, page := historyPerPage, q.page()
	if q.all {
		perPage, page = 100_000, 1
	}
	rows, err := read[struct {
		Alert    string    `ch:"alert_id"`
		Rule     string    `ch:"rule"`
		Account  string    `ch:"account_id"`
		Severity string    `ch:"severity"`
		Kind     string    `ch:"kind"`
		Level    uint16    `ch:"level"`
		Value    *float64  `ch:"value"`
		At       time.Time `ch:"at"`
		KnownAt  time.Time `ch:"known_at"`
		Told     string    `ch:"told"`
		Total    uint64    `ch:"total"`
	}](ctx, s, "triggers_history", q.ofAlerts(), "{limit}", strconv.Itoa(perPage), "{offset}", strconv.Itoa((page-1)*perPage))
	if err != nil {
		return nil, err
	}
	t := &Table{
		Caption: "What became of alerts", Query: q, PerPage: perPage, Page: page, Empty: "No alert has fired.",
		Columns: []Column{
			{Name: "known_at", Label: "Known at", Kind: When}, {Name: "kind", Label: "What happened"}, {Name: "rule", Label: "Rule"}, {Name: "account", Label: "Account"},
			{Name: "severity", Label: "Severity"}, {Name: "value", Label: "Value", Kind: Number}, {Name: "level", Label: "Level", Kind: Number},
			{Name: "at", Label: "Judged as of", Kind: When}, {Name: "targets", Label: "Told to"},
		},
	}
	for _, r := range rows {
		t.Total = r.Total
		t.Rows = append(t.Rows, []Cell{
			At(When, r.KnownAt), Text(r.Kind), Link(r.Rule, q.alertURL(r.Alert)), Link(r.Account, accountURL(r.Account)), severityCell(r.Severity),
			Maybe(Number, r.Value), Num(Number, r.Level), At(When, r.At), Text(r.Told),
		})
	}
	return t, nil
}

func silences(ctx context.Context, s *store, _ query) (content, error) {
	rows, err := read[struct {
		Rule    string    `ch:"rule"`
		Account string    `ch:"account_id"`
		From    time.Time `ch:"starts_at"`
		To      time.Time `ch:"ends_at"`
		Active  bool      `ch:"is_active"`
		Reason  string    `ch:"reason"`
		By      string    `ch:"created_by"`
	}](ctx, s, "triggers_silences", nil)
	if err != nil {
		return nil, err
	}
	t := &Table{Caption: "Silences", Empty: "Nothing is silenced.", Columns: []Column{
		{Name: "rule", Label: "Rule"}, {Name: "account", Label: "Account"}, {Name: "state", Label: "Now"}, {Name: "starts_at", Label: "From", Kind: When}, {Name: "ends_at", Label: "Until", Kind: When},
		{Name: "reason", Label: "Why"}, {Name: "created_by", Label: "By"},
	}}
	for _, r := range rows {
		rule, account, state := Text("every rule"), Text("every account"), Cell{Text: "over", State: "quiet"}
		if r.Rule != "" {
			rule = Text(r.Rule)
		}
		if r.Account != "" {
			account = Link(r.Account, accountURL(r.Account))
		}
		if r.Active {
			state = Cell{Text: "holds", State: "warn"}
		}
		t.Rows = append(t.Rows, []Cell{rule, account, state, At(When, r.From), At(When, r.To), Text(r.Reason), Text(r.By)})
	}
	return t, nil
}

func alertTargets(ctx context.Context, s *store, _ query) (content, error) {
	rows, err := read[struct {
		Target    string     `ch:"target"`
		Waiting   uint64     `ch:"waiting"`
		Oldest    *time.Time `ch:"oldest_waiting_at"`
		Delivered uint64     `ch:"delivered"`
		Last      *time.Time `ch:"last_delivered_at"`
		Dead      uint64     `ch:"dead"`
		Disabled  bool       `ch:"is_disabled"`
		Reason    string     `ch:"disabled_reason"`
	}](ctx, s, "triggers_targets", nil)
	if err != nil {
		return nil, err
	}
	t := &Table{Caption: "Targets", Empty: "Nothing was to be told yet.", Columns: []Column{
		{Name: "target", Label: "Target"}, {Name: "state", Label: "State"}, {Name: "delivered", Label: "Delivered", Kind: Number}, {Name: "last_delivered_at", Label: "Last", Kind: Ago},
		{Name: "waiting", Label: "Waiting", Kind: Number}, {Name: "oldest_waiting_at", Label: "Oldest since", Kind: Ago}, {Name: "dead", Label: "Given up", Kind: Number},
	}}
	for _, r := range rows {
		state := Cell{Text: "takes them", State: "good"}
		switch {
		case r.Disabled:
			state = Cell{Text: "is gone: " + r.Reason, State: "bad"}
		case r.Dead > 0:
			state = Cell{Text: "some were given up", State: "warn"}
		}
		t.Rows = append(t.Rows, []Cell{Text(r.Target), state, Num(Number, r.Delivered), MaybeAt(Ago, r.Last), Num(Number, r.Waiting), MaybeAt(Ago, r.Oldest), Num(Number, r.Dead)})
	}
	return t, nil
}
