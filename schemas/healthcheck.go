package schemas

import (
	"fmt"
	"math"
	"regexp"
	"slices"
)

// profileName is what a profile may be called: vendors' names have hyphens.
var profileName = regexp.MustCompile(`^[a-z][a-z0-9_-]*$`)

var (
	methods = []string{string(Weighted), string(Points), string(Banded)}
	unknown = []string{string(UnknownIsNull), string(Rescale)}
	bands   = []string{string(Good), string(Average), string(Poor)}
)

func (c *Catalogue) validateHealth(bad complain) {
	if _, ok := c.Profile(c.Health.Default); !ok {
		bad(c.Health.Pos.At("default"), "health: the default profile %q is not declared%s", c.Health.Default, Suggest(c.Health.Default, c.ProfileNames()))
	}
	for _, s := range c.Segments {
		if _, ok := c.Profile(s.Profile); s.Profile != "" && !ok {
			bad(s.Pos.At("profile"), "segment %s: the health profile %q is not declared%s", s.Name, s.Profile, Suggest(s.Profile, c.ProfileNames()))
		}
	}
	seen := map[string]Pos{}
	for _, p := range c.Health.Profiles {
		if first, dup := seen[p.Name]; dup {
			bad(p.Pos, "health profile %s is declared twice, first at %s", p.Name, first)
		}
		seen[p.Name] = p.Pos
		p.validate(func(at Pos, format string, args ...any) {
			bad(at, "health profile %s: %s", p.Name, fmt.Sprintf(format, args...))
		})
	}
}

func (p Profile) validate(bad complain) {
	if !profileName.MatchString(p.Name) {
		bad(p.Pos.At("name"), "the name must match %s", profileName)
	}
	if p.Description == "" {
		bad(p.Pos, "description is missing")
	}
	if !slices.Contains(methods, string(p.Method)) {
		bad(p.Pos.At("method"), "method %q is none of %v%s", p.Method, methods, mean(string(p.Method), methods))
	}
	if p.Unknown != "" && !slices.Contains(unknown, string(p.Unknown)) {
		bad(p.Pos.At("unknown"), "unknown: %q is none of %v%s", p.Unknown, unknown, mean(string(p.Unknown), unknown))
	}
	if (p.Method == Banded) != (len(p.Bands) == 0) {
		bad(p.Pos.At("bands"), "bands are needed to tell good scores from poor ones, but not by method banded")
	}
	for _, t := range p.Bands {
		if t.Points != nil || len(t.Is) > 0 || !slices.Contains(bands, string(t.Band)) {
			bad(t.Pos, "a band of the score has bounds and band, one of %v", bands)
		}
	}
	if n := len(p.Bands); n > 0 && p.Bands[n-1].bounded() {
		bad(p.Bands[n-1].Pos, "the last band must have no bound, so that every score has a band")
	}
	if len(p.Components) == 0 {
		bad(p.Pos, "it has no components")
	}
	p.validateWeights(bad)
	names := map[string]bool{}
	for _, c := range p.Components {
		if names[c.Name] {
			bad(c.Pos, "the component %s is declared twice", c.Name)
		}
		names[c.Name] = true
		p.validateComponent(c, func(at Pos, format string, args ...any) {
			bad(at, "component %s: %s", c.Name, fmt.Sprintf(format, args...))
		})
	}
}

// validateWeights finds groups that are not there, and points that do not make up 100.
func (p Profile) validateWeights(bad complain) {
	used := map[string]bool{}
	total := 0.0
	for _, c := range p.Components {
		used[c.Group] = true
		if c.Group == "" {
			total += p.Full(c)
		} else if _, ok := p.Groups[c.Group]; !ok {
			bad(c.Pos.At("group"), "component %s: group %q is not declared in groups%s", c.Name, c.Group, Suggest(c.Group, sortedKeys(p.Groups)))
		}
	}
	for _, g := range sortedKeys(p.Groups) {
		total += p.Groups[g]
		if p.Groups[g] <= 0 || !used[g] {
			bad(p.Pos.At("groups"), "group %s needs a weight above 0 and a component", g)
		}
	}
	if p.Method == Points && math.Abs(total-100) > 1e-9 {
		bad(p.Pos.At("components"), "the highest points of its components, and the weights of its groups, make up %v, not 100", total)
	}
}

func (p Profile) validateComponent(c Component, bad complain) {
	if !identifier.MatchString(c.Name) {
		bad(c.Pos.At("name"), "the name must match %s", identifier)
	}
	if len(c.Inputs()) == 0 {
		bad(c.Pos.At("value"), "value %q reads no column: write it with columns of views, such as usage_28d.active_users / usage_28d.seats", c.Value)
	}
	if c.Weight < 0 {
		bad(c.Pos.At("weight"), "weight must not be negative")
	}
	if (len(c.Tiers) > 0) == (c.Scale != nil) {
		bad(c.Pos, "it needs either tiers or scale")
	}
	if c.Scale != nil && (c.Scale.From == c.Scale.To || p.Method != Weighted) {
		bad(c.Pos.At("scale"), "scale goes with method weighted, and its from and to must differ")
	}
	texts, numbers := 0, 0
	for _, t := range c.Tiers {
		switch {
		case p.Method == Banded && (t.Points != nil || !slices.Contains(bands, string(t.Band))):
			bad(t.Pos, "a tier of method banded has band, one of %v, and no points", bands)
		case p.Method != Banded && (t.Points == nil || t.Band != ""):
			bad(t.Pos, "a tier of method %s has points, and no band", p.Method)
		case t.Points != nil && (p.Worth(c, t) < 0 || p.Worth(c, t) > 100):
			bad(t.Pos, "points %v must lie between 0 and what the component counts at most", *t.Points)
		}
		switch {
		case len(t.Is) > 0:
			texts++
		case t.bounded():
			numbers++
		}
	}
	if texts > 0 && numbers > 0 {
		bad(c.Pos.At("tiers"), "its tiers have both bounds and texts")
	}
}

// bounded reports whether the tier leaves some values out.
func (t Tier) bounded() bool {
	return t.AtLeast != nil || t.Above != nil || t.AtMost != nil || t.Below != nil || len(t.Is) > 0
}

// Text reports whether the component's value is text.
func (c Component) Text() bool {
	return slices.ContainsFunc(c.Tiers, func(t Tier) bool { return len(t.Is) > 0 })
}
