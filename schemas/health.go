package schemas

import (
	"regexp"
	"slices"
	"strings"
)

// Health says how the health of accounts is scored (metrics.md row 31).
type Health struct {
	Default  string    `yaml:"default"` // the profile of accounts whose segment names none
	Profiles []Profile `yaml:"profiles"`

	Pos Pos `yaml:"-"`
}

// Profile is one way to score an account: 0 to 100, and a band.
type Profile struct {
	Name        string `yaml:"name"`
	Description string `yaml:"description"`
	// Method: weighted is the mean of the components' points by their weights; points is their sum, where tiers give the
	// points themselves; banded is good if every component is, poor if one is, else average: 100, 40 and 60.
	Method Method `yaml:"method"`
	// Unknown says what becomes of a component without a value: "null" leaves the score NULL, "rescale" leaves the component
	// out, and the others carry its weight.
	Unknown    Unknown            `yaml:"unknown"`
	Bands      []Tier             `yaml:"bands"`  // of the score; not of a banded profile
	Groups     map[string]float64 `yaml:"groups"` // weights of groups; a group counts as the mean of its components
	Components []Component        `yaml:"components"`

	Pos Pos `yaml:"-"`
}

// Method is how components make a score.
type Method string

// The methods.
const (
	Weighted Method = "weighted"
	Points   Method = "points"
	Banded   Method = "banded"
)

// Unknown is what becomes of a component that has no value.
type Unknown string

// What can become of it.
const (
	UnknownIsNull Unknown = "null" // the score is NULL; the default
	Rescale       Unknown = "rescale"
)

// Component is one thing that health depends on.
type Component struct {
	Name        string  `yaml:"name"`
	Description string  `yaml:"description"`
	Value       string  `yaml:"value"`  // SQL over columns of views, such as usage_28d.active_users / usage_28d.seats
	Group       string  `yaml:"group"`  // a name of groups
	Weight      float64 `yaml:"weight"` // within its group, or within the score; default 1, of points the highest tier
	Tiers       []Tier  `yaml:"tiers"`  // the first that holds gives the points; if none does, the component is unknown
	Scale       *Scale  `yaml:"scale"`  // or points in proportion

	Pos Pos `yaml:"-"`
}

// Tier is a range of values, or some texts, and what it is worth. A tier with no bound takes every value.
type Tier struct {
	AtLeast *float64 `yaml:"at_least"`
	Above   *float64 `yaml:"above"`
	AtMost  *float64 `yaml:"at_most"`
	Below   *float64 `yaml:"below"`
	Is      []string `yaml:"is"` // for values that are text

	Points *float64 `yaml:"points"` // 0 to 100; of method points up to the component's weight
	Band   Band     `yaml:"band"`

	Pos Pos `yaml:"-"`
}

// Scale gives 0 points at From and 100 at To, in proportion between them and no more beyond. From may be above To.
type Scale struct {
	From float64 `yaml:"from"`
	To   float64 `yaml:"to"`
}

// Band is what a score, or a component, amounts to.
type Band string

// The bands, best first.
const (
	Good    Band = "good"
	Average Band = "average"
	Poor    Band = "poor"
)

// Points are those of a band in a banded profile, and of a component without points of its own.
func (b Band) Points() float64 { return map[Band]float64{Good: 100, Average: 60, Poor: 40}[b] }

// Input is a column of a view.
type Input struct{ View, Column string }

// input is how a component's value names a column.
var input = regexp.MustCompile(`\b([a-z][a-z0-9_]*)\.([a-z_][a-z0-9_]*)\b`)

// Inputs are the columns that the component's value reads, each once.
func (c Component) Inputs() []Input {
	var out []Input
	for _, m := range input.FindAllStringSubmatch(withoutStrings(c.Value), -1) {
		if in := (Input{m[1], m[2]}); !slices.Contains(out, in) {
			out = append(out, in)
		}
	}
	return out
}

// Expression is the component's value with each column as column names it.
func (c Component) Expression(column func(Input) string) string {
	return input.ReplaceAllStringFunc(c.Value, func(name string) string {
		view, of, _ := strings.Cut(name, ".")
		return column(Input{view, of})
	})
}

var sqlString = regexp.MustCompile(`'(?:[^'\\]|\\.)*'`)

func withoutStrings(sql string) string { return sqlString.ReplaceAllString(sql, "''") }

// Full is the component's weight: the points that it can give, where the method is points.
func (p Profile) Full(c Component) float64 {
	if c.Weight > 0 {
		return c.Weight
	}
	full := 0.0
	if p.Method == Points {
		for _, t := range c.Tiers {
			if t.Points != nil {
				full = max(full, *t.Points)
			}
		}
	}
	if full == 0 {
		return 1
	}
	return full
}

// Worth is what a tier of a component gives, from 0 to 100.
func (p Profile) Worth(c Component, t Tier) float64 {
	switch {
	case t.Points == nil:
		return t.Band.Points()
	case p.Method == Points:
		return 100 * *t.Points / p.Full(c)
	default:
		return *t.Points
	}
}

// ProfileOf is the name of the profile by which a segment's accounts are scored.
func (c *Catalogue) ProfileOf(segment string) string {
	for _, s := range c.Segments {
		if s.Name == segment && s.Profile != "" {
			return s.Profile
		}
	}
	return c.Health.Default
}

// Profile returns the profile of a name.
func (c *Catalogue) Profile(name string) (Profile, bool) {
	i := slices.IndexFunc(c.Health.Profiles, func(p Profile) bool { return p.Name == name })
	if i < 0 {
		return Profile{}, false
	}
	return c.Health.Profiles[i], true
}

// ProfilesInUse are the default profile and those that segments choose, each once.
func (c *Catalogue) ProfilesInUse() []Profile {
	names := []string{c.Health.Default}
	for _, s := range c.Segments {
		if s.Profile != "" && !slices.Contains(names, s.Profile) {
			names = append(names, s.Profile)
		}
	}
	var out []Profile
	for _, name := range names {
		if p, ok := c.Profile(name); ok {
			out = append(out, p)
		}
	}
	return out
}

// ProfileNames are the profiles that there are.
func (c *Catalogue) ProfileNames() []string {
	var names []string
	for _, p := range c.Health.Profiles {
		names = append(names, p.Name)
	}
	return names
}

// extend adds a user's profiles, and takes the user's default.
func (h *Health) extend(add Health) {
	if add.Default != "" {
		h.Default, h.Pos = add.Default, add.Pos
	}
	h.Profiles = append(h.Profiles, add.Profiles...)
}
