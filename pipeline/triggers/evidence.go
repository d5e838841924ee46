package triggers

import (
	"encoding/json"
	"strings"
	"time"

	"tidemark/schemas/rules"
)

// evidence is what an alert was judged by.
type evidence struct {
	Threshold *float64             `json:"threshold,omitempty"`
	Trend     *float64             `json:"trend,omitempty"` // the value divided by that of the window before, less 1
	Previous  *float64             `json:"previous,omitempty"`
	Inputs    []contribution       `json:"contributions,omitempty"`
	Health    []component          `json:"health_components,omitempty"` // of rules that read health
	Watermark map[string]time.Time `json:"watermark,omitempty"`         // by what the topic is for
	Offsets   map[string]uint64    `json:"offsets,omitempty"`           // next to be read, by source
}

// contribution is the value of one input.
type contribution struct {
	Input string     `json:"input"`
	Value any        `json:"value"` // null: unknown
	From  *time.Time `json:"window_start,omitempty"`
	To    *time.Time `json:"window_end,omitempty"`
}

// payload is what is delivered.
type payload struct {
	Alert       string    `json:"alert_id"`
	Kind        Kind      `json:"kind"`
	Rule        string    `json:"rule"`
	Description string    `json:"description,omitempty"`
	Account     string    `json:"account"`
	Episode     uint64    `json:"episode"`
	Severity    string    `json:"severity"`
	Playbook    string    `json:"playbook,omitempty"`
	Owner       string    `json:"owner,omitempty"`
	Level       int       `json:"level,omitempty"`
	Value       *float64  `json:"value"`
	At          time.Time `json:"at"`
	Window      time.Time `json:"window_end,omitzero"`
	KnownAt     time.Time `json:"known_at"`
	Final       bool      `json:"final"`
	Link        string    `json:"link,omitempty"`
	evidence
}

// evidence gathers what a rule was judged by.
func (j *job) evidence(p *program, i int, at time.Time, present bool, complete map[string]time.Time) *evidence {
	e := &evidence{Watermark: map[string]time.Time{}}
	for _, t := range p.topics {
		if c, ok := complete[t]; ok {
			e.Watermark[t] = c.UTC()
		}
	}
	seen := map[int]bool{}
	for _, c := range []*rules.Condition{p.Value, p.When, p.Threshold} {
		if c == nil {
			continue
		}
		values := j.values(p, c, i, at, present)
		for k, n := range p.inputs[c] {
			if !seen[n] {
				seen[n] = true
				e.Inputs = append(e.Inputs, j.contribution(n, values(k), at))
			}
		}
		if c == p.Threshold {
			if v, err := c.Eval(values); err == nil && v.Known && v.Type == rules.Number {
				e.Threshold = &v.Number
			}
		}
	}
	return e
}

func (j *job) contribution(n int, v rules.Value, at time.Time) contribution {
	in := j.engine.inputs[n]
	c := contribution{Input: in.String()}
	if v.Known {
		switch v.Type {
		case rules.Number:
			c.Value = v.Number
		case rules.Bool:
			c.Value = v.Bool
		default:
			c.Value = v.String()
		}
	}
	if in.windowed() && in.Shape.Step > 0 {
		end := in.WindowEnd(at)
		start := end.Add(-in.Shape.Size)
		c.From, c.To = &start, &end
	}
	return c
}

// row is a transition as it is stored and delivered.
func (r *reign) row(c change, t Transition, state string, now time.Time) row {
	p := c.program
	body := payload{
		Alert: t.AlertID, Kind: t.Kind, Rule: p.Name, Description: p.Description, Account: c.account, Episode: t.Episode, Severity: p.Severity,
		Playbook: p.Playbook, Owner: p.Owner, Level: t.Level, Value: t.Value, At: t.At.UTC(), Window: t.Window.UTC(), KnownAt: now, Final: t.Final,
		Link: strings.NewReplacer("{account}", c.account, "{rule}", p.Name, "{alert}", t.AlertID).Replace(r.Link),
	}
	if c.evidence != nil {
		body.evidence = *c.evidence
	}
	text, err := json.Marshal(body)
	if err != nil {
		text = []byte("{}") // a number that is none: impossible, as conditions give finite ones
	}
	targets := p.Targets
	if targets == nil {
		targets = []string{}
	}
	var notBefore int64
	if t.Kind != Ended && t.Kind != Retracted {
		if until := quietUntil(p.QuietHours, now, location(c.zone)); !until.IsZero() {
			notBefore = until.UnixMilli()
		}
	}
	return row{
		ID: t.ID, AlertID: t.AlertID, Seq: t.Seq, Kind: t.Kind, Rule: p.Name, Account: c.account, Episode: t.Episode, Severity: p.Severity,
		Level: t.Level, Value: t.Value, At: t.At.UnixMilli(), KnownAt: now.UnixMilli(), NotBefore: notBefore, Final: t.Final,
		Playbook: p.Playbook, Owner: p.Owner, Targets: targets, Payload: string(text), State: state, Version: c.state.Version,
	}
}
