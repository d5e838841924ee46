package triggers

import (
	"fmt"
	"regexp"
	"slices"
	"time"

	"tidemark/schemas"
	"tidemark/schemas/rules"
)

// way is how an input is read.
type way int

const (
	byView     way = iota // through the view that people see
	byCounters            // the view's column is a sum over panes of the table counters
	byMembers             // it is a distinct count over panes of the table member_sets
	byTickets             // it counts tickets to which something happened in the window
	byHistory             // what was known of the account at the instant
	byCalendar            // nothing is read
)

// input is one of all that the rules read, each once.
type input struct {
	rules.Input
	way    way
	tier   string // of the panes
	metric string // in the catalogue
}

// paneView are the views whose columns may be plain sums or distinct counts over panes.
var paneView = regexp.MustCompile(`^usage_(minute|hour|day|\d+d)$`)

var ticketView = regexp.MustCompile(`^support_(minute|hour|day|\d+d)$`)

// ticketMoment is the SQL of the times, in Unix ms, at which something happened to a ticket, of the columns that count these.
var ticketMoment = map[string]string{
	"opened": "if(is_opened, [opened_ms], [])", "escalated": "escalated", "solved": "solves", "reopened": "reopenings",
}

// notInHistory are the columns of the view accounts that account_history does not have.
var notInHistory = map[string]bool{"known_since": true, "updated_at": true}

// resolve finds how an input is read.
func resolve(cat *schemas.Catalogue, in rules.Input) input {
	out := input{Input: in}
	switch in.Kind {
	case rules.OfCalendar:
		out.way = byCalendar
	case rules.OfAccount:
		if !notInHistory[in.Column] {
			out.way = byHistory
		}
	case rules.OfView:
		if m := paneView.FindStringSubmatch(in.View); m != nil {
			out.way, out.metric = pane(cat, in.Column)
			out.tier = tierOf(m[1])
		}
		if m := ticketView.FindStringSubmatch(in.View); m != nil && ticketMoment[in.Column] != "" {
			out.way = byTickets
		}
	}
	return out
}

func tierOf(window string) string {
	if window == "minute" || window == "hour" {
		return window
	}
	return "day"
}

// pane is how a column of the views of usage is read from panes, and the metric that it shows.
func pane(cat *schemas.Catalogue, column string) (way, string) {
	for _, m := range cat.Metrics {
		if m.View != "usage" || m.Column != column {
			continue
		}
		switch m.Aggregate {
		case schemas.Count, schemas.Sum:
			return byCounters, m.Name
		case schemas.Distinct:
			return byMembers, m.Name
		}
	}
	return byView, ""
}

// fast reports whether the input is read within a tick.
func (i input) fast() bool { return i.way != byView }

// windowed reports whether the input is of a window, as against of an instant.
func (i input) windowed() bool { return i.Kind == rules.OfView && i.Shape.Windowed() }

// program is a rule and where its conditions' inputs are among all inputs.
type program struct {
	*rules.Rule
	index   int // in the order in which rules are judged
	inputs  map[*rules.Condition][]int
	reads   []int // all of them, each once
	fast    bool
	step    time.Duration // windows end at its multiples; 0: no input has a step
	topics  []string      // roles of the topics that its windows come from
	present bool          // a window that is not over may tell something
	instant bool          // no input is of a window: it is judged as of now
	muting  []int         // rules that inhibit it, all judged before it
	muted   []int         // rules that it inhibits
}

// compile numbers what the rules read, and orders the rules so that one is judged after those that inhibit it.
func compile(cat *schemas.Catalogue, all []*rules.Rule) ([]*program, []input, error) {
	ordered := rules.Ordered(all)
	var inputs []input
	numbers := map[string]int{}
	byName := map[string]int{}
	programs := make([]*program, len(ordered))
	for i, r := range ordered {
		p := &program{Rule: r, index: i, inputs: map[*rules.Condition][]int{}, fast: true, instant: true}
		seen := map[int]bool{}
		for _, c := range r.Conditions() {
			for _, in := range c.Inputs() {
				key := in.String()
				n, ok := numbers[key]
				if !ok {
					n = len(inputs)
					numbers[key] = n
					inputs = append(inputs, resolve(cat, in))
				}
				p.inputs[c] = append(p.inputs[c], n)
				if !seen[n] {
					seen[n] = true
					p.reads = append(p.reads, n)
					p.take(inputs[n])
				}
			}
		}
		p.present = r.Fires == rules.Monotone && !p.instant
		for _, name := range r.InhibitedBy {
			by, ok := byName[name]
			if !ok {
				return nil, nil, fmt.Errorf("%s: rule %s is inhibited by %s, which is not among the rules before it: there is no such rule, or it is inhibited by this one", r.Pos, r.Name, name)
			}
			p.muting = append(p.muting, by)
			programs[by].muted = append(programs[by].muted, i)
		}
		byName[r.Name] = i
		programs[i] = p
	}
	return programs, inputs, nil
}

func (p *program) take(in input) {
	p.fast = p.fast && in.fast()
	if !in.windowed() {
		return
	}
	p.instant = false
	p.step = max(p.step, in.Shape.Step)
	for _, t := range in.Shape.Topics {
		if !slices.Contains(p.topics, t) {
			p.topics = append(p.topics, t)
		}
	}
}
