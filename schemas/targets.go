package schemas

import (
	"slices"
)

// Targets are what accounts are measured against: a default for all, and for a segment what differs.
type Targets struct {
	Target   `yaml:",inline"`
	Segments map[string]Target `yaml:"segments"`

	Pos Pos `yaml:"-"`
}

// Target is a set of standards. What a segment leaves out is taken from the default.
type Target struct {
	// ReturnDays are the active days that a satisfied customer's account has (metrics.md row 3).
	ReturnDays ReturnDays `yaml:"return_days"`
	// ValueWhen is the name of active_when that says which events bring value (rows 2 and 18). A distinct metric of the
	// view usage must match just that; Catalogue.ValueMetric is its name.
	ValueWhen string `yaml:"value_when"`
	// KeyFeatures are the features that adoption is measured by (row 19).
	KeyFeatures []string `yaml:"key_features"`
	// KeyFeatureUsers is how many users of a feature in 28 days make it adopted.
	KeyFeatureUsers int `yaml:"key_feature_users"`
	// Onboarding is the checklist of a new account (row 17).
	Onboarding Onboarding `yaml:"onboarding"`
	// LowUsage: usage of 7 days below this share of the baseline's 7 days is low (row 7).
	LowUsage float64 `yaml:"low_usage"`
	// ErraticUsage: a coefficient of variation of 28 daily values above this is erratic (row 7).
	ErraticUsage float64 `yaml:"erratic_usage"`
	// UnderUse is the utilization of licences and entitlements below which an account counts as at risk (row 11).
	UnderUse float64 `yaml:"under_use"`
	// NearLimit are the levels of utilization at which an account is near its limit (row 10), ascending.
	NearLimit []float64 `yaml:"near_limit"`
	// GrossMargin is the share of revenue that lifetime value counts (row 35).
	GrossMargin float64 `yaml:"gross_margin"`

	Pos Pos `yaml:"-"`
}

// ReturnDays are target active days.
type ReturnDays struct {
	Of7  float64 `yaml:"of_7"`
	Of28 float64 `yaml:"of_28"`
}

// Onboarding is a checklist.
type Onboarding struct {
	// StalledAfter is how long an account may go without a new item before its onboarding counts as stalled.
	StalledAfter Duration `yaml:"stalled_after"`
	// Items are done with the first event of any user of the account.
	Items []Item `yaml:"items"`
}

// Item is an item of a checklist: it is done with the first track event of one of these names, or event sets.
type Item struct {
	Name  string   `yaml:"name"`
	Event []string `yaml:"event"`

	Pos Pos `yaml:"-"`
}

// OnboardingFacts is the entity under which facts of kind workflow keep the events of checklists that are no step of a
// workflow. An item is done at the earliest fact of kind workflow, of whatever entity, whose name is one of its events.
const OnboardingFacts = "@onboarding"

// TargetOf is what holds for a segment: its own, and the default for the rest. "" or a segment without its own: the default.
func (c *Catalogue) TargetOf(segment string) Target {
	own, ok := c.Targets.Segments[segment]
	if !ok {
		return c.Targets.Target
	}
	out := c.Targets.Target
	out.lay(own)
	return out
}

// ValueMetric is the metric whose users had a value event, for a segment.
func (c *Catalogue) ValueMetric(segment string) string {
	return c.metricOfActive(c.TargetOf(segment).ValueWhen)
}

func (c *Catalogue) metricOfActive(meaning string) string {
	for _, m := range c.Metrics {
		only := m.Match
		only.Active = ""
		if m.View == "usage" && m.Aggregate == Distinct && m.Match.Active == meaning && only.empty() {
			return m.Name
		}
	}
	return ""
}

// Steps are the events whose facts are kept, by workflow, and under OnboardingFacts those of checklists that are no
// step of a workflow.
func (c *Catalogue) Steps() map[string][]string {
	out := map[string][]string{}
	kept := map[string]bool{}
	for _, w := range c.Workflows {
		out[w.Name] = w.Steps
		for _, s := range w.Steps {
			kept[s] = true
		}
	}
	lists := []Target{c.Targets.Target}
	for _, segment := range sortedKeys(c.Targets.Segments) {
		lists = append(lists, c.Targets.Segments[segment])
	}
	for _, t := range lists {
		for _, item := range t.Onboarding.Items {
			for _, event := range c.Expand(item.Event) {
				if !kept[event] {
					kept[event] = true
					out[OnboardingFacts] = append(out[OnboardingFacts], event)
				}
			}
		}
	}
	slices.Sort(out[OnboardingFacts])
	return out
}

// extend lays a user's targets over these.
func (t *Targets) extend(add Targets) {
	t.lay(add.Target)
	for segment, target := range add.Segments {
		if t.Segments == nil {
			t.Segments = map[string]Target{}
		}
		t.Segments[segment] = target
	}
	t.Pos = add.Pos
}

// lay replaces what the other one has.
func (t *Target) lay(over Target) {
	set(&t.ReturnDays.Of7, over.ReturnDays.Of7)
	set(&t.ReturnDays.Of28, over.ReturnDays.Of28)
	set(&t.ValueWhen, over.ValueWhen)
	set(&t.KeyFeatureUsers, over.KeyFeatureUsers)
	set(&t.Onboarding.StalledAfter, over.Onboarding.StalledAfter)
	set(&t.LowUsage, over.LowUsage)
	set(&t.ErraticUsage, over.ErraticUsage)
	set(&t.UnderUse, over.UnderUse)
	set(&t.GrossMargin, over.GrossMargin)
	if len(over.KeyFeatures) > 0 {
		t.KeyFeatures = over.KeyFeatures
	}
	if len(over.Onboarding.Items) > 0 {
		t.Onboarding.Items = over.Onboarding.Items
	}
	if len(over.NearLimit) > 0 {
		t.NearLimit = over.NearLimit
	}
}

func set[T comparable](to *T, from T) {
	var zero T
	if from != zero {
		*to = from
	}
}

func (c *Catalogue) validateTargets(bad complain) {
	c.validateTarget("targets", c.Targets.Target, c.Targets.Pos, bad)
	for _, segment := range sortedKeys(c.Targets.Segments) {
		t := c.Targets.Segments[segment]
		if !slices.Contains(c.SegmentNames(), segment) {
			bad(t.Pos, "targets: segment %q is not declared in segments%s", segment, Suggest(segment, c.SegmentNames()))
		}
		c.validateTarget("targets of "+segment, c.TargetOf(segment), t.Pos, bad)
	}
}

func (c *Catalogue) validateTarget(where string, t Target, pos Pos, bad complain) {
	if t.ReturnDays.Of7 < 0 || t.ReturnDays.Of7 > 7 || t.ReturnDays.Of28 < 0 || t.ReturnDays.Of28 > 28 {
		bad(pos.At("return_days"), "%s: return_days of_7 must lie between 0 and 7, and of_28 between 0 and 28", where)
	}
	if t.ValueWhen != "" {
		if _, ok := c.ActiveWhen[t.ValueWhen]; !ok {
			bad(pos.At("value_when"), "%s: value_when %q is not declared in active_when%s", where, t.ValueWhen, Suggest(t.ValueWhen, sortedKeys(c.ActiveWhen)))
		} else if c.metricOfActive(t.ValueWhen) == "" {
			bad(pos.At("value_when"), "%s: value_when %q has no users to read: declare a metric of the view usage with aggregate: distinct and match: {active: %[2]s}", where, t.ValueWhen)
		}
	}
	for what, v := range map[string]float64{"low_usage": t.LowUsage, "erratic_usage": t.ErraticUsage, "under_use": t.UnderUse} {
		if v < 0 {
			bad(pos.At(what), "%s: %s must not be negative", where, what)
		}
	}
	if t.GrossMargin < 0 || t.GrossMargin > 1 {
		bad(pos.At("gross_margin"), "%s: gross_margin must lie between 0 and 1", where)
	}
	if !slices.IsSorted(t.NearLimit) {
		bad(pos.At("near_limit"), "%s: near_limit must ascend", where)
	}
	if t.KeyFeatureUsers < 0 {
		bad(pos.At("key_feature_users"), "%s: key_feature_users must not be negative", where)
	}
	names := map[string]bool{}
	for _, item := range t.Onboarding.Items {
		switch {
		case item.Name == "" || len(item.Event) == 0:
			bad(item.Pos, "%s: an item of onboarding needs a name and one event at least", where)
		case names[item.Name]:
			bad(item.Pos, "%s: the item %s of onboarding is declared twice", where, item.Name)
		}
		names[item.Name] = true
	}
}
