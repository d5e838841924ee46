package schemas

import "slices"

// Entitlement is what a plan includes.
type Entitlement struct {
	Features []string `yaml:"features"` // that the plan includes; empty: all
	Quotas   []Quota  `yaml:"quotas"`

	Pos Pos `yaml:"-"`
}

// Quota is a limit on the use of a feature or of a meter (metrics.md row 9).
type Quota struct {
	Name    string  `yaml:"name"`
	Feature string  `yaml:"feature"` // uses of it count; or
	Meter   string  `yaml:"meter"`   // values that the customer's systems report
	Limit   float64 `yaml:"limit"`   // more than 0
	// Period is the calendar period, in the account's time zone, whose values are added up: day, week, month, quarter or year.
	// Empty: the meter is a gauge, of which the last reading counts.
	Period string `yaml:"period"`

	Pos Pos `yaml:"-"`
}

var periods = []string{"day", "week", "month", "quarter", "year"}

func (c *Catalogue) validateEntitlements(bad complain) {
	for _, plan := range sortedKeys(c.Entitlements) {
		names := map[string]bool{}
		for _, q := range c.Entitlements[plan].Quotas {
			switch {
			case q.Name == "" || names[q.Name]:
				bad(q.Pos, "entitlements of %s: a quota needs a name of its own", plan)
			case (q.Feature == "") == (q.Meter == ""):
				bad(q.Pos, "entitlements of %s: quota %s needs either a feature or a meter", plan, q.Name)
			case q.Limit <= 0:
				bad(q.Pos.At("limit"), "entitlements of %s: quota %s needs a limit above 0", plan, q.Name)
			case q.Period == "" && q.Feature != "":
				bad(q.Pos, "entitlements of %s: quota %s needs a period, one of %v: uses are added up", plan, q.Name, periods)
			case q.Period != "" && !slices.Contains(periods, q.Period):
				bad(q.Pos.At("period"), "entitlements of %s: quota %s: period %q is unknown%s", plan, q.Name, q.Period, Suggest(q.Period, periods))
			}
			names[q.Name] = true
		}
	}
}
