package board

import (
	"context"
	"fmt"
	"time"
)

func accountSurveys(ctx context.Context, s *store, q query) (content, error) {
	scores, err := read[struct {
		NPS   *float64 `ch:"nps"`
		NPSN  uint64   `ch:"nps_responses"`
		CSAT  *float64 `ch:"csat"`
		CSATN uint64   `ch:"csat_responses"`
		CES   *float64 `ch:"ces"`
		CESN  uint64   `ch:"ces_responses"`
	}](ctx, s, "account_sentiment", q.ofAccount())
	if err != nil {
		return nil, err
	}
	answers, err := read[struct {
		At         time.Time `ch:"at"`
		Survey     string    `ch:"survey"`
		Score      float64   `ch:"score"`
		Low        string    `ch:"scale_min"`
		High       string    `ch:"scale_max"`
		Comment    string    `ch:"comment"`
		Respondent string    `ch:"respondent"`
	}](ctx, s, "account_surveys", q.ofAccount())
	if err != nil {
		return nil, err
	}
	var all Stack
	for _, r := range scores {
		of := func(n uint64) string { return fmt.Sprintf("of %d answers", n) }
		all = append(all, Figures{
			{Label: "NPS", Value: Maybe(Number, r.NPS), Note: of(r.NPSN)},
			{Label: "CSAT", Value: share(r.CSAT), Note: of(r.CSATN)},
			{Label: "CES, easy", Value: share(r.CES), Note: of(r.CESN)},
		})
	}
	t := &Table{Caption: "Answers", Empty: "Nobody has answered a survey in the time range.", Columns: []Column{
		{Name: "at", Label: "When", Kind: When}, {Name: "survey", Label: "Survey"}, {Name: "score", Label: "Score", Kind: Number}, {Name: "scale", Label: "Scale"},
		{Name: "comment", Label: "Comment"},
	}}
	for _, a := range answers {
		t.Rows = append(t.Rows, []Cell{At(When, a.At), Text(a.Survey), Num(Number, a.Score), Text(a.Low + " to " + a.High), Text(a.Comment)})
	}
	return append(all, t), nil
}

// share is a percentage of the views as the ratio that Percent shows.
func share(percent *float64) Cell {
	if percent == nil {
		return Cell{Kind: Percent}
	}
	return Num(Percent, *percent/100)
}

// goalStates mark the states of goals.
var goalStates = map[string]string{"attained": "good", "on track": "good", "attained late": "quiet", "behind": "warn", "missed": "bad"}

func accountGoals(ctx context.Context, s *store, q query) (content, error) {
	rows, err := read[struct {
		Goal     string    `ch:"goal"`
		Measure  string    `ch:"measure"`
		Start    *float64  `ch:"start"`
		Target   *float64  `ch:"target"`
		Current  *float64  `ch:"current_value"`
		Progress *float64  `ch:"progress"`
		Elapsed  float64   `ch:"elapsed_share"`
		Pace     *float64  `ch:"pace"`
		Due      time.Time `ch:"due_at"`
		State    string    `ch:"state"`
	}](ctx, s, "account_goals", q.ofAccount())
	if err != nil {
		return nil, err
	}
	t := &Table{Caption: "Goals", Empty: "No goal was agreed with this account: events of the kind goal.defined make one.", Columns: []Column{
		{Name: "goal", Label: "Goal"}, {Name: "state", Label: "State"}, {Name: "progress", Label: "Progress", Kind: Percent}, {Name: "elapsed_share", Label: "Time passed", Kind: Percent},
		{Name: "pace", Label: "Pace", Kind: Number}, {Name: "current_value", Label: "Now", Kind: Number}, {Name: "start", Label: "Start", Kind: Number}, {Name: "target", Label: "Target", Kind: Number},
		{Name: "measure", Label: "Measured by"}, {Name: "due_at", Label: "Due", Kind: Day},
	}}
	for _, r := range rows {
		progress := Maybe(Percent, r.Progress)
		progress.Bar = r.Progress
		t.Rows = append(t.Rows, []Cell{
			Text(r.Goal), {Text: r.State, State: goalStates[r.State]}, progress, Num(Percent, r.Elapsed), Maybe(Number, r.Pace), Maybe(Number, r.Current),
			Maybe(Number, r.Start), Maybe(Number, r.Target), Text(r.Measure), At(Day, r.Due),
		})
	}
	return t, nil
}

func accountKPIs(ctx context.Context, s *store, q query) (content, error) {
	rows, err := read[struct {
		KPI         string    `ch:"kpi"`
		Unit        string    `ch:"unit"`
		Start       time.Time `ch:"period_start"`
		End         time.Time `ch:"period_end"`
		Period      string    `ch:"period"`
		Value       float64   `ch:"value"`
		Change      *float64  `ch:"change"`
		Complete    bool      `ch:"usage_complete"`
		Events      uint64    `ch:"events"`
		ActiveUsers uint64    `ch:"active_users"`
	}](ctx, s, "account_kpis", q.ofAccount())
	if err != nil {
		return nil, err
	}
	t := &Table{Caption: "KPIs by period", Empty: "The customer has reported no KPI in the time range.", Columns: []Column{
		{Name: "kpi", Label: "KPI"}, {Name: "period_start", Label: "From", Kind: Day}, {Name: "period", Label: "Period"}, {Name: "value", Label: "Value", Kind: Number}, {Name: "unit", Label: "Unit"},
		{Name: "change", Label: "Change", Kind: Number}, {Name: "events", Label: "Events", Kind: Number}, {Name: "active_users", Label: "Active users", Kind: Number}, {Name: "usage", Label: "Usage"},
	}}
	for _, r := range rows {
		usage := Text("complete")
		if !r.Complete {
			usage = Cell{Text: "provisional", State: "quiet"}
		}
		t.Rows = append(t.Rows, []Cell{
			Text(r.KPI), At(Day, r.Start), Text(r.Period), Num(Number, r.Value), Text(r.Unit), Maybe(Number, r.Change), Num(Number, r.Events), Num(Number, r.ActiveUsers), usage,
		})
	}
	return t, nil
}

// alertKinds mark what became of an alert.
var alertKinds = map[string]string{"fired": "bad", "level": "bad", "amended": "quiet", "retracted": "quiet", "resolved": "good"}

func accountAlerts(ctx context.Context, s *store, q query) (content, error) {
	rows, err := read[struct {
		ID       string    `ch:"alert_id"`
		Rule     string    `ch:"rule"`
		Severity string    `ch:"severity"`
		Kind     string    `ch:"kind"`
		Value    *float64  `ch:"value"`
		At       time.Time `ch:"at"`
		KnownAt  time.Time `ch:"known_at"`
		Playbook string    `ch:"playbook"`
		Final    bool      `ch:"is_final"`
	}](ctx, s, "account_alerts", q.ofAccount())
	if err != nil {
		return nil, err
	}
	t := &Table{Caption: "Alerts", Empty: "No rule has told anything of this account in the time range.", Columns: []Column{
		{Name: "rule", Label: "Rule"}, {Name: "kind", Label: "What"}, {Name: "severity", Label: "Severity"}, {Name: "value", Label: "Value", Kind: Number},
		{Name: "at", Label: "Of", Kind: When}, {Name: "known_at", Label: "Known", Kind: When}, {Name: "window", Label: "Window"}, {Name: "playbook", Label: "What to do"},
	}}
	for _, r := range rows {
		window := Text("final")
		if !r.Final {
			window = Cell{Text: "provisional", State: "quiet"}
		}
		t.Rows = append(t.Rows, []Cell{
			Link(r.Rule, "/triggers?alert="+r.ID+"#panel-evidence"), {Text: r.Kind, State: alertKinds[r.Kind]}, Text(r.Severity), Maybe(Number, r.Value),
			At(When, r.At), At(When, r.KnownAt), window, Text(r.Playbook),
		})
	}
	return t, nil
}
