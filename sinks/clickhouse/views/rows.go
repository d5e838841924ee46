package views

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"tidemark/schemas"
)

// Row is a row of metrics.md, the list of what customer success needs to know.
type Row struct {
	Number   int
	Name     string
	Articles string // that the list takes it from: A0 LeveragePoint, A1 Totango, A2 the customer's own KPIs, A3 SmartKarrot, A4 a glossary
	Else     string // what answers it that is no view
}

// Rows are all of them.
var Rows = []Row{
	{1, "Product logins", "A1 A4", ""},
	{2, "Usage frequency", "A0 A1 A4", ""},
	{3, "Return goal", "A0", ""},
	{4, "Average length of a session", "A1", ""},
	{5, "Active use time", "A1", ""},
	{6, "Active users, with a defined active", "A1 A3", ""},
	{7, "Low or erratic usage", "A1", ""},
	{8, "Seat utilization", "A1", ""},
	{9, "Entitlement utilization", "A1", ""},
	{10, "Near-limit, expansion", "A1", ""},
	{11, "Under-use, win-back", "A1", ""},
	{12, "Business goal attainment", "A1 A2 A3", ""},
	{13, "Milestones", "A1", ""},
	{14, "The customer's own KPI beside usage", "A2", ""},
	{15, "Key-workflow completion", "A0", ""},
	{16, "Time on task and abandonment", "A0 A3", ""},
	{17, "Onboarding completion", "A1 A3", ""},
	{18, "Time to first value", "A1", ""},
	{19, "Feature adoption", "A1 A3 A4", ""},
	{20, "Feature popularity", "A4", ""},
	{21, "Feature error rate", "A4", ""},
	{22, "Training uptake", "A1", ""},
	{23, "Engagement score", "A1 A3", ""},
	{24, "NPS", "A1 A2 A3 A4", ""},
	{25, "CSAT", "A1 A2 A4", ""},
	{26, "Moments for surveys", "A1", "what would set them off: goals (row 13) and health (row 31). Sending them is a trigger's work"},
	{27, "Tickets: volume, backlog, times", "A1 A4", ""},
	{28, "Escalations", "A1", ""},
	{29, "Escalations within a time frame", "A1", ""},
	{30, "Recurring issues", "A4", ""},
	{31, "Customer health score", "A0 A1 A3", ""},
	{32, "Segments and health profiles", "A1", ""},
	{33, "Churn and retention", "A2 A3 A4", ""},
	{34, "Expansion", "A0 A1", ""},
	{35, "Customer lifetime value", "A0 A1", ""},
	{36, "Before and after a release", "A0", ""},
	{37, "Discriminating metrics", "A0", ""},
	{38, "Vanity guard", "A0 A3", "this page's column \"serves\", and `tidemark check`"},
	{39, "Trend, benchmark, history", "A4", ""},
	{40, "Trust in the data", "A0", ""},
	{41, "One hub for everyone", "A0 A1", "all [views](views.md), for the role reader"},
}

var mentioned = regexp.MustCompile(`metrics\.md,? rows? ([0-9]+(?:(?:, | and |, and | to )[0-9]+)*)`)

// RowsIn are the rows that a text says it answers: "metrics.md row 4", "metrics.md rows 2, 3 and 8", "rows 1 to 3".
func RowsIn(text string) []int {
	var out []int
	for _, m := range mentioned.FindAllStringSubmatch(strings.Join(strings.Fields(text), " "), -1) {
		last, to := 0, false
		for _, word := range strings.Fields(strings.ReplaceAll(m[1], ",", " ")) {
			n, err := strconv.Atoi(word)
			if err != nil {
				to = word == "to"
				continue
			}
			if !to {
				last = n - 1
			}
			for i := last + 1; i <= n; i++ {
				out = append(out, i)
			}
			last, to = n, false
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Answers are the views and columns that answer each row, by what their comments say. Windows of one family are put together:
// usage_{7d,28d}.active_days.
func Answers(cat *schemas.Catalogue) (map[int][]string, error) {
	all, err := build(cat, documented())
	if err != nil {
		return nil, err
	}
	windows := map[int]map[string][]string{} // by row, and family and column
	note := func(v view, column, text string) {
		family := schemas.Family(v.Name)
		for _, row := range RowsIn(text) {
			if windows[row] == nil {
				windows[row] = map[string][]string{}
			}
			key := family + " " + column
			if w := strings.TrimPrefix(strings.TrimPrefix(v.Name, family), "_"); !slices.Contains(windows[row][key], w) {
				windows[row][key] = append(windows[row][key], w)
			}
		}
	}
	for _, v := range all {
		note(v, "", v.Comment)
		for _, c := range v.Columns {
			note(v, c.Name, c.Meaning)
		}
	}
	out := map[int][]string{}
	for row, found := range windows {
		for _, key := range slices.Sorted(maps.Keys(found)) {
			family, column, _ := strings.Cut(key, " ")
			if _, whole := found[family+" "]; whole && column != "" && len(found[family+" "]) >= len(found[key]) {
				continue // the view says it of itself
			}
			out[row] = append(out[row], place(family, found[key], column))
		}
	}
	return out, nil
}

func place(family string, windows []string, column string) string {
	name := family
	switch {
	case len(windows) == 1 && windows[0] == "":
	case len(windows) == 1:
		name += "_" + windows[0]
	case slices.Contains(windows, ""): // health and health_day
		name += "[_" + strings.Join(slices.DeleteFunc(slices.Clone(windows), func(w string) bool { return w == "" }), ",_") + "]"
	default:
		name += "_{" + strings.Join(windows, ",") + "}"
	}
	if column != "" {
		name += "." + column
	}
	return "`" + name + "`"
}

// rowsMarkdown is the table of the rows, with the tests of each by number.
func rowsMarkdown(cat *schemas.Catalogue, golden map[int][]string) (string, error) {
	answers, err := Answers(cat)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	out.WriteString("\n## The 41 rows\n\nWhich view and column answers each row of the list, as their comments say, and the tests whose comments say that they hold it.\n" +
		"Articles: A0 LeveragePoint, A1 Totango's guide, A2 the customer's own KPIs, A3 SmartKarrot, A4 a glossary of business operations.\n" +
		"\n| row | name | articles | where | golden tests |\n|---|---|---|---|---|\n")
	for _, r := range Rows {
		where := answers[r.Number]
		if r.Else != "" {
			where = append(where, r.Else)
		}
		fmt.Fprintf(&out, "| %d | %s | %s | %s | %s |\n", r.Number, r.Name, r.Articles, cell(strings.Join(where, ", ")), cell(strings.Join(golden[r.Number], ", ")))
	}
	return out.String(), nil
}
