package schemas

import "slices"

// Goal is what every account of some segments should reach in the time after its creation (metrics.md row 12). Goals that are
// agreed with one account come as records.
type Goal struct {
	Name        string   `yaml:"name"`
	Description string   `yaml:"description"`
	Owner       string   `yaml:"owner"`
	Segments    []string `yaml:"segments"` // empty: every account
	Metric      string   `yaml:"metric"`   // a number of a view with one row an account and period that ends with a day, such as usage_28d.seat_utilization
	Start       float64  `yaml:"start"`
	Target      float64  `yaml:"target"`
	Within      Duration `yaml:"within"` // of the account's creation

	Pos Pos `yaml:"-"`
}

// GoalMetric is what goals that come as records may be measured by beside the columns of usage_28d: each view of the list is one
// more that the views of goals read.
type GoalMetric struct {
	Metric string `yaml:"metric"` // as in Goal

	Pos Pos `yaml:"-"`
}

// Survey says how the answers to a survey are read, where its records do not say it themselves or say it otherwise.
type Survey struct {
	Survey string `yaml:"survey"` // survey_id of its records
	Kind   string `yaml:"kind"`   // nps, csat or ces
	// Satisfied is the lowest score that counts as a promoter, as satisfied or as easy; default: that of the kind.
	Satisfied *float64 `yaml:"satisfied"`
	// Dissatisfied is the highest score that counts as a detractor; default: that of the kind. Of nps only.
	Dissatisfied *float64 `yaml:"dissatisfied"`

	Pos Pos `yaml:"-"`
}

var surveyKinds = []string{"nps", "csat", "ces"}

// Input is the column that the goal is measured by.
func (g Goal) Input() (Input, bool) { return oneColumn(g.Metric) }

// Input is the column.
func (g GoalMetric) Input() (Input, bool) { return oneColumn(g.Metric) }

// oneColumn reads view.column.
func oneColumn(name string) (Input, bool) {
	in := Component{Value: name}.Inputs()
	if len(in) != 1 || in[0].View+"."+in[0].Column != name {
		return Input{}, false
	}
	return in[0], true
}

func (c *Catalogue) validateGoals(bad complain) {
	seen := map[string]Pos{}
	for _, g := range c.Goals {
		if first, dup := seen[g.Name]; dup {
			bad(g.Pos, "goal %s is declared twice, first at %s", g.Name, first)
		}
		seen[g.Name] = g.Pos
		if !identifier.MatchString(g.Name) {
			bad(g.Pos.At("name"), "goal name %q must match %s", g.Name, identifier)
		}
		if g.Description == "" || g.Owner == "" {
			bad(g.Pos, "goal %s needs description and owner", g.Name)
		}
		if _, ok := g.Input(); !ok {
			bad(g.Pos.At("metric"), "goal %s: metric %q must be one column of a view, such as usage_28d.seat_utilization", g.Name, g.Metric)
		}
		if g.Start == g.Target {
			bad(g.Pos.At("target"), "goal %s: start and target are both %v: no progress can be measured", g.Name, g.Target)
		}
		if g.Within <= 0 {
			bad(g.Pos, "goal %s needs within, such as 90d", g.Name)
		}
		for _, s := range g.Segments {
			if !slices.Contains(c.SegmentNames(), s) {
				bad(g.Pos.At("segments"), "goal %s: segment %q is not declared in segments%s", g.Name, s, Suggest(s, c.SegmentNames()))
			}
		}
	}
}

func (c *Catalogue) validateGoalMetrics(bad complain) {
	seen := map[string]Pos{}
	for _, m := range c.GoalMetrics {
		if first, dup := seen[m.Metric]; dup {
			bad(m.Pos, "goal metric %s is declared twice, first at %s", m.Metric, first)
		}
		seen[m.Metric] = m.Pos
		if _, ok := m.Input(); !ok {
			bad(m.Pos.At("metric"), "goal metric %q must be one column of a view, such as sentiment_90d.nps", m.Metric)
		}
	}
}

func (c *Catalogue) validateSurveys(bad complain) {
	seen := map[string]Pos{}
	for _, s := range c.Surveys {
		if first, dup := seen[s.Survey]; dup {
			bad(s.Pos, "survey %s is declared twice, first at %s", s.Survey, first)
		}
		seen[s.Survey] = s.Pos
		switch {
		case s.Survey == "":
			bad(s.Pos, "a survey needs the survey_id of its records in survey")
		case !slices.Contains(surveyKinds, s.Kind):
			bad(s.Pos.At("kind"), "survey %s: kind %q is none of %v%s", s.Survey, s.Kind, surveyKinds, mean(s.Kind, surveyKinds))
		case s.Dissatisfied != nil && s.Kind != "nps":
			bad(s.Pos.At("dissatisfied"), "survey %s: dissatisfied is for nps: the others have no detractors", s.Survey)
		case s.Satisfied != nil && s.Dissatisfied != nil && *s.Dissatisfied >= *s.Satisfied:
			bad(s.Pos.At("dissatisfied"), "survey %s: dissatisfied must be below satisfied", s.Survey)
		}
	}
}
