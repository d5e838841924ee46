package verify

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"tidemark/internal/recount"
)

// Report is what a comparison found.
type Report struct {
	StartedAt  time.Time `json:"started_at"`
	FinishedAt time.Time `json:"finished_at"`
	Account    string    `json:"account,omitempty"`
	Sources    []Source  `json:"sources"`
	Skipped    []Skipped `json:"skipped,omitempty"`

	// Differences counts all of them; First are as many of them as are listed.
	Differences int          `json:"differences"`
	First       []Difference `json:"first,omitempty"`
}

// Source is what was compared of one partition: the offsets [From, To).
type Source struct {
	Source      string   `json:"source"`
	From        int64    `json:"from"`
	To          int64    `json:"to"`
	Records     Records  `json:"records"`
	Checkpoints int      `json:"checkpoints"`  // compared
	Equal       int      `json:"equal"`        // rows that had to be equal, at the range's end
	Ahead       int      `json:"ahead"`        // rows that had to be equal, further on in the log
	AtLeast     int      `json:"at_least"`     // rows that hold more than the range: compared as a lower bound
	NotCompared int      `json:"not_compared"` // rows of which nothing can be said
	Notes       []string `json:"notes,omitempty"`
}

// Records is what became of the range's records.
type Records struct {
	Received     uint64 `json:"received"`
	Applied      uint64 `json:"applied"`
	Duplicate    uint64 `json:"duplicate"`
	Filtered     uint64 `json:"filtered"`
	DeadLettered uint64 `json:"dead_lettered"`
}

// Skipped is a partition that could not be compared.
type Skipped struct {
	Source string `json:"source"`
	Reason string `json:"reason"`
}

// Difference is a row in which ClickHouse and the log disagree. Log and
// ClickHouse are what each says; "" is no row. Offset is that of the last record
// known to have gone into the row.
type Difference struct {
	Table      string       `json:"table"`
	Account    string       `json:"account,omitempty"`
	Metric     string       `json:"metric,omitempty"`
	Tier       recount.Tier `json:"tier,omitempty"`
	Window     *time.Time   `json:"window,omitempty"`
	Feature    string       `json:"feature,omitempty"`
	Entity     string       `json:"entity,omitempty"`
	Source     string       `json:"source"`
	Offset     *int64       `json:"offset,omitempty"`
	Log        string       `json:"log"`
	ClickHouse string       `json:"clickhouse"`
}

func (r *Report) differ(d Difference) {
	r.Differences++
	if len(r.First) < maxDifferences {
		r.First = append(r.First, d)
	}
}

// Compared is the number of rows and checkpoints that were compared.
func (r *Report) Compared() int {
	n := 0
	for _, s := range r.Sources {
		n += s.Checkpoints + s.Equal + s.Ahead + s.AtLeast
	}
	return n
}

// WriteTable writes the report for people.
func (r *Report) WriteTable(w io.Writer) error {
	tab := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tab, "SOURCE\tOFFSETS\tRECORDS\tCHECKPOINTS\tEQUAL\tEQUAL AHEAD\tAT LEAST\tNOT COMPARED")
	for _, s := range r.Sources {
		fmt.Fprintf(tab, "%s\t%d to %d\t%d\t%d\t%d\t%d\t%d\t%d\n",
			short(s.Source), s.From, s.To, s.Records.Received, s.Checkpoints, s.Equal, s.Ahead, s.AtLeast, s.NotCompared)
	}
	if err := tab.Flush(); err != nil {
		return err
	}
	for _, s := range r.Sources {
		for _, note := range s.Notes {
			fmt.Fprintf(w, "%s: %s\n", short(s.Source), note)
		}
	}
	for _, s := range r.Skipped {
		fmt.Fprintf(w, "%s was not compared: %s\n", short(s.Source), s.Reason)
	}
	if r.Differences == 0 {
		_, err := fmt.Fprintf(w, "\n%d rows and checkpoints compared, 0 differences.\n", r.Compared())
		return err
	}
	fmt.Fprintln(w)
	tab = tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tab, "TABLE\tACCOUNT\tMETRIC\tWINDOW\tSOURCE\tOFFSET\tLOG\tCLICKHOUSE")
	for _, d := range r.First {
		fmt.Fprintf(tab, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", d.Table, orDash(d.Account), d.subject(), d.window(), short(d.Source), d.offset(),
			orNothing(d.Log), orNothing(d.ClickHouse))
	}
	if err := tab.Flush(); err != nil {
		return err
	}
	if more := r.Differences - len(r.First); more > 0 {
		fmt.Fprintf(w, "... and %d more\n", more)
	}
	_, err := fmt.Fprintf(w, "\n%d rows and checkpoints compared, %s.\n", r.Compared(), Differences(r.Differences))
	return err
}

// Differences counts them in words.
func Differences(n int) string {
	if n == 1 {
		return "1 difference"
	}
	return fmt.Sprintf("%d differences", n)
}

// subject is the metric, with the feature or the user that the row is about.
func (d Difference) subject() string {
	text := d.Metric
	for _, part := range []string{d.Feature, d.Entity} {
		if part != "" && text != "" {
			text += " "
		}
		text += part
	}
	return orDash(text)
}

func (d Difference) window() string {
	switch {
	case d.Window == nil:
		return "-"
	case d.Tier == "":
		return d.Window.Format("2006-01-02T15:04:05.999Z")
	}
	return string(d.Tier) + " " + d.Window.Format("2006-01-02T15:04Z")
}

func (d Difference) offset() string {
	if d.Offset == nil {
		return "-"
	}
	return fmt.Sprint(*d.Offset)
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func orNothing(s string) string {
	if s == "" {
		return "no row"
	}
	return s
}

// short is a source without its topic id, which only matters after a topic was
// created anew.
func short(source string) string {
	for i, c := range source {
		if c == '@' {
			return source[:i]
		}
	}
	return source
}
