package views

import (
	"fmt"
	"strings"

	"tidemark/schemas"
)

// simple makes a view of a template.
func (b *builder) simple(name, comment string, columns []column, template string, data any) (view, error) {
	query, err := b.render(template, data)
	if err != nil {
		return view{}, err
	}
	return view{Name: name, Comment: comment, Columns: columns, Query: query}, nil
}

// StringArray is the SQL of an array of strings.
func stringArray(all []string) string {
	return "CAST([" + quoteStrings(all) + "], 'Array(String)')"
}

// keyFeatures is the SQL of the key features that an account is entitled to, given those of its segment and plan.
func (b *builder) keyFeatures(segment, plan string) string {
	list := b.bySegment(segment, func(t schemas.Target) string { return stringArray(t.KeyFeatures) })
	entitled := b.entitled("f", plan)
	if entitled == "true" {
		return list
	}
	return "arrayFilter(f -> " + entitled + ", " + list + ")"
}

// entitled is the SQL of whether a plan includes a feature. A plan that the catalogue does not name includes all.
func (b *builder) entitled(feature, plan string) string {
	var cases []string
	for _, name := range sorted(b.cat.Entitlements) {
		if features := b.cat.Entitlements[name].Features; len(features) > 0 {
			cases = append(cases, "ifNull("+plan+" = "+Quote(name)+", false), "+feature+" IN ("+quoteStrings(features)+")")
		}
	}
	if len(cases) == 0 {
		return "true"
	}
	return "multiIf(" + strings.Join(cases, ", ") + ", true)"
}

// allKeyFeatures are the key features of any segment.
func (b *builder) allKeyFeatures() []string {
	lists := []schemas.Target{b.cat.Targets.Target}
	for _, name := range sorted(b.cat.Targets.Segments) {
		lists = append(lists, b.cat.TargetOf(name))
	}
	var out []string
	seen := map[string]bool{}
	for _, t := range lists {
		for _, f := range t.KeyFeatures {
			if !seen[f] {
				seen[f] = true
				out = append(out, f)
			}
		}
	}
	return out
}

// adopted is the data of the templates of adoption.
type adopted struct {
	*builder
	Tier    tier   // of days
	Account string // SQL name of what has the account's segment and plan
	Used    string // SQL of the features that were used: name, users, uses
}

// Entitled is the SQL of the key features of an account.
func (a adopted) Entitled() string { return a.keyFeatures(a.Account+".segment", a.Account+".plan") }

// Wanted is the SQL list of all key features.
func (a adopted) Wanted() string {
	if all := a.allKeyFeatures(); len(all) > 0 {
		return quoteStrings(all)
	}
	return "''"
}

// MinUsers is the SQL of how many users make a feature adopted.
func (a adopted) MinUsers() string {
	return a.bySegment(a.Account+".segment", func(t schemas.Target) string { return fmt.Sprintf("toUInt64(%d)", max(1, t.KeyFeatureUsers)) })
}

// FeatureUsers is the metric whose users used a feature.
func (a adopted) FeatureUsers() (string, error) {
	return a.metricOf("features", "users", schemas.Distinct)
}

// adoption are the views of the breadth and depth of adoption (metrics.md row 19).
func (b *builder) adoption() ([]view, error) {
	columns := append(windowColumns("account_id"), adoptionColumns...)
	columns = append(append(columns, complete), dimension()...)
	v, err := b.simple("adoption_28d",
		"How far each account has taken to the key features that it is entitled to, over 28 days (UTC) up to the end of every day, silent accounts included (metrics.md row 19).",
		columns, "adoption", adopted{b, b.tiers()[2], "h", "w.of_features"})
	if err != nil {
		return nil, err
	}
	return b.withSegment(v, 28*day, []segmentColumn{
		sumOver("key_features_adopted"), sumOver("key_features_entitled"), medianOver("breadth"), medianOver("depth"),
	})
}

var adoptionColumns = []column{
	{"key_features_entitled", "UInt64", "features", "Key features of the catalogue that the account's plan includes, as of the window's end."},
	{"key_features_adopted", "UInt64", "features", "Of those, features with as many users in the window as the catalogue's key_feature_users asks for."},
	{"breadth", "Nullable(Float64)", "ratio", "key_features_adopted divided by key_features_entitled (metrics.md row 19); NULL if no key feature is known."},
	{"depth", "Nullable(Float64)", "uses", "Uses of the entitled key features divided by their users, each feature's added up (metrics.md row 19); NULL without users. By feature: features_28d.uses_per_user."},
}
