// Package figures is what the benchmark has measured, as bench/out/latest.json keeps it: a section for each measure, made
// by one command, with its figures.
package figures

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"slices"
	"strconv"
	"text/tabwriter"
	"time"
)

// Report has the latest section of every measure, by its name.
type Report map[string]*Section

// Section is what one run of a measure has found.
type Section struct {
	Command string    `json:"command"` // measures these figures again
	At      time.Time `json:"at"`
	Commit  string    `json:"commit"`
	Go      string    `json:"go"`
	CPUs    int       `json:"cpus"`
	Kafka   string    `json:"kafka,omitempty"`
	// Setup says in a sentence or two what was measured on what.
	Setup string `json:"setup"`
	// Settings are those of a peer, and why.
	Settings map[string]string `json:"settings,omitempty"`
	Figures  []Figure          `json:"figures"`
	Runs     any               `json:"runs,omitempty"` // what the figures were made from
}

// Figure is one number, or the spread of some runs' numbers.
type Figure struct {
	ID     string  `json:"id"`
	What   string  `json:"what"`
	Unit   string  `json:"unit,omitempty"`
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
	Goal   *Goal   `json:"goal,omitempty"`
}

// Goal is a bound that a figure's median has to keep.
type Goal struct {
	AtLeast *float64 `json:"at_least,omitempty"`
	AtMost  *float64 `json:"at_most,omitempty"`
}

// AtLeast is a goal from below.
func AtLeast(v float64) *Goal { return &Goal{AtLeast: &v} }

// AtMost is a goal from above.
func AtMost(v float64) *Goal { return &Goal{AtMost: &v} }

// Met reports whether the median keeps the bound; a figure without one does.
func (f *Figure) Met() bool {
	return f.Goal == nil || (f.Goal.AtLeast == nil || f.Median >= *f.Goal.AtLeast) && (f.Goal.AtMost == nil || f.Median <= *f.Goal.AtMost)
}

// Add appends a figure: the median, least and greatest of the values, which must not be none.
func (s *Section) Add(id, what, unit string, goal *Goal, values ...float64) {
	v := slices.Sorted(slices.Values(values))
	s.Figures = append(s.Figures, Figure{
		ID: id, What: what, Unit: unit, Goal: goal,
		Median: (v[(len(v)-1)/2] + v[len(v)/2]) / 2, Min: v[0], Max: v[len(v)-1],
	})
}

// Find returns a figure of a section by its id.
func (r Report) Find(section, id string) (Figure, error) {
	s, ok := r[section]
	if !ok {
		return Figure{}, fmt.Errorf("there are no figures of %s yet: make bench ARGS=%s", section, section)
	}
	for _, f := range s.Figures {
		if f.ID == id {
			return f, nil
		}
	}
	return Figure{}, fmt.Errorf("the figures of %s have no %s: make bench ARGS=%[1]s", section, id)
}

// Load reads a report; one that does not exist yet is empty.
func Load(path string) (Report, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Report{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the figures: %w", err)
	}
	r := Report{}
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, fmt.Errorf("read the figures in %s (delete it to begin anew): %w", path, err)
	}
	return r, nil
}

// Save writes the report, in one step.
func (r Report) Save(path string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("save the figures: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("save the figures: %w", err)
	}
	return nil
}

// Print writes the section as a table.
func (s *Section) Print(to io.Writer) {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\tmedian\tmin\tmax\tgoal\t")
	for _, f := range s.Figures {
		what := f.What
		if f.Unit != "" {
			what += ", " + f.Unit
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t\n", what, Short(f.Median), Short(f.Min), Short(f.Max), f.Aim())
	}
	_ = w.Flush() // a report that cannot be shown is still saved
}

// Aim says what the goal is and whether it is met; empty without one.
func (f *Figure) Aim() string {
	if f.Goal == nil {
		return ""
	}
	aim := "at most "
	bound := f.Goal.AtMost
	if f.Goal.AtLeast != nil {
		aim, bound = "at least ", f.Goal.AtLeast
	}
	aim += Short(*bound)
	if !f.Met() {
		return aim + ": missed"
	}
	return aim + ": met"
}

// Short writes a number with three significant digits at least.
func Short(v float64) string {
	switch a := math.Abs(v); {
	case v == math.Trunc(v) && a < 1e6, a >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case a >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case a >= 1:
		return strconv.FormatFloat(v, 'f', 2, 64)
	case a >= 0.1:
		return strconv.FormatFloat(v, 'f', 3, 64)
	default:
		return strconv.FormatFloat(v, 'g', 3, 64)
	}
}
