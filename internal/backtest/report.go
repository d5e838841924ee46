package backtest

import (
	"bytes"
	"fmt"
	"html"
	"io"
	"slices"
	"strings"
	"time"
)

// Report is what a rule would have done.
type Report struct {
	Rule     string
	Range    Range
	Horizon  time.Duration
	Accounts int // that were looked at
	Episodes []Episode
	Lost     map[string]time.Time
	Score    Score
	// Hindsight are the inputs of which ClickHouse has what is known now, late events and corrections included, and not what was known then.
	Hindsight []string
}

// shown is how many accounts a chart has at most.
const shown = 60

const chartColumns = 48

// Write prints the report: a line an account, its time from left to right.
func (r Report) Write(out io.Writer) error {
	var b bytes.Buffer
	day := func(t time.Time) string { return t.Format(time.DateOnly) }
	fmt.Fprintf(&b, "%s, %s to %s: %d alerts on %d of %d accounts\n", r.Rule, day(r.Range.From), day(r.Range.To), len(r.Episodes), len(r.byAccount()), r.Accounts)
	if len(r.Episodes) > 0 {
		fmt.Fprintf(&b, "\n%-24s %s\n", "account", "# firing   x lost")
	}
	for i, account := range r.byAccount() {
		if i == shown {
			fmt.Fprintf(&b, "… and %d accounts more\n", len(r.byAccount())-shown)
			break
		}
		line := []byte(strings.Repeat(".", chartColumns))
		var told []string
		for _, e := range r.of(account) {
			for c := r.column(e.From); c <= r.column(e.end(r.Range.To)); c++ {
				line[c] = '#'
			}
			text := day(e.From) + " for " + days(e.Duration(r.Range.To))
			if e.To.IsZero() {
				text += " so far"
			}
			if e.Levels > 1 {
				text += fmt.Sprintf(", level %d", e.Levels)
			}
			told = append(told, text)
		}
		if at := r.Lost[account]; !at.IsZero() && !at.Before(r.Range.From) && !at.After(r.Range.To) {
			line[r.column(at)] = 'x'
		}
		fmt.Fprintf(&b, "%-24s %s %s\n", account, line, strings.Join(told, "; "))
	}
	b.WriteString("\n" + r.verdict() + r.hindsight())
	_, err := out.Write(b.Bytes())
	return err
}

// verdict says how right the alerts were, where customers were lost.
func (r Report) verdict() string {
	s := r.Score
	if s.Lost == 0 {
		return "No customer was lost in this time, so there is nothing to hold the alerts against.\n"
	}
	precision := "no alert can be told right or wrong yet"
	if p, ok := s.Precision(); ok {
		precision = fmt.Sprintf("precision %.2f (%d of %d alerts)", p, s.Right, s.Alerts)
	}
	recall, _ := s.Recall()
	out := fmt.Sprintf("Against %d lost customers, within %s: %s, recall %.2f (%d of %d)", s.Lost, days(r.Horizon), precision, recall, s.Foretold, s.Lost)
	if s.Foretold > 0 {
		out += ", " + days(s.Lead) + " ahead in the median"
	}
	if s.Undecided > 0 {
		out += fmt.Sprintf("; %d alerts are left out: of customers lost before, or too recent", s.Undecided)
	}
	return out + ".\n"
}

// hindsight says what of the past is not as it was known.
func (r Report) hindsight() string {
	if len(r.Hindsight) == 0 {
		return "Everything that it reads is as it was known then.\n"
	}
	return "With hindsight: of " + strings.Join(r.Hindsight, ", ") + " ClickHouse has what is known now. What was late or corrected counts as if it had been there in time; the view alert_history has what was told then.\n"
}

func days(d time.Duration) string { return fmt.Sprintf("%.3gd", d.Hours()/24) }

func (e Episode) end(now time.Time) time.Time {
	if e.To.IsZero() {
		return now
	}
	return e.To
}

func (r Report) column(at time.Time) int {
	share := at.Sub(r.Range.From).Seconds() / max(1, r.Range.To.Sub(r.Range.From).Seconds())
	return min(chartColumns-1, max(0, int(share*chartColumns)))
}

// byAccount are the accounts with alerts, those first on which it fired first.
func (r Report) byAccount() []string {
	var out []string
	ordered := slices.Clone(r.Episodes)
	slices.SortStableFunc(ordered, func(a, b Episode) int { return a.From.Compare(b.From) })
	for _, e := range ordered {
		if !slices.Contains(out, e.Account) {
			out = append(out, e.Account)
		}
	}
	return out
}

func (r Report) of(account string) []Episode {
	var out []Episode
	for _, e := range r.Episodes {
		if e.Account == account {
			out = append(out, e)
		}
	}
	return out
}

const (
	svgWidth = 820
	svgLeft  = 210
	svgRow   = 20
)

// SVG draws the same: a line an account, bars where the rule fired, crosses where a customer was lost.
func (r Report) SVG() []byte {
	x := func(at time.Time) float64 {
		share := at.Sub(r.Range.From).Seconds() / max(1, r.Range.To.Sub(r.Range.From).Seconds())
		return svgLeft + min(1, max(0, share))*(svgWidth-svgLeft-20)
	}
	var b bytes.Buffer
	y := 30
	fmt.Fprintf(&b, `<text x="10" y="18" font-weight="600">%s: %d alerts on %d of %d accounts</text>`+"\n", html.EscapeString(r.Rule), len(r.Episodes), len(r.byAccount()), r.Accounts)
	for i, account := range r.byAccount() {
		if i == shown {
			break
		}
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end">%s</text><path d="M%d %d H%d" stroke="#e4e7eb"/>`, svgLeft-8, y+14, html.EscapeString(account), svgLeft, y+10, svgWidth-20)
		for _, e := range r.of(account) {
			fmt.Fprintf(&b, `<rect x="%.1f" y="%d" width="%.1f" height="12" fill="#1f6feb"/>`, x(e.From), y+4, max(2, x(e.end(r.Range.To))-x(e.From)))
		}
		if at := r.Lost[account]; !at.IsZero() && !at.Before(r.Range.From) && !at.After(r.Range.To) {
			fmt.Fprintf(&b, `<path d="M%.1f %d l10 10 m0 -10 l-10 10" stroke="#b42318" stroke-width="2"/>`, x(at)-5, y+5)
		}
		b.WriteString("\n")
		y += svgRow
	}
	fmt.Fprintf(&b, `<text x="%d" y="%d">%s</text><text x="%d" y="%d" text-anchor="end">%s</text>`+"\n", svgLeft, y+18, r.Range.From.Format(time.DateOnly), svgWidth-20, y+18, r.Range.To.Format(time.DateOnly))
	fmt.Fprintf(&b, `<text x="10" y="%d">%s</text>`+"\n", y+40, html.EscapeString(strings.TrimSpace(r.verdict())))
	return fmt.Appendf(nil, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" font-family="system-ui, sans-serif" font-size="12" fill="#1f2933">
<rect width="%[1]d" height="%[2]d" fill="#ffffff"/>
%[3]s</svg>
`, svgWidth, y+52, b.Bytes())
}
