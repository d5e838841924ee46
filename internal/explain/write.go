package explain

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// shown bounds the rows of a table that are printed; JSON has them all.
const shown = 30

// Write writes the explanation for people.
func (e *Explanation) Write(w io.Writer) error {
	fmt.Fprintf(w, "%s of %s, %s\n%s\n\n", e.Metric, e.Account, e.Window, e.Description)
	tab := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, v := range first(tab, e.Values) {
		complete := "complete"
		if !v.Complete {
			complete = "not complete yet"
		}
		fmt.Fprintf(tab, "value\t%s\t%s %s\t%s\n", orDash(v.By), v.Value, e.Unit, complete)
	}
	if len(e.Values) == 0 {
		fmt.Fprintf(tab, "value\t-\tno row in the view\n")
	}
	if err := tab.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(w, "view     %s.%s\nformula  %s\n", e.View, e.Column, e.Formula)
	for _, write := range []func(io.Writer) error{e.writeInputs, e.writeDimension, e.writeSources, e.writeEvents} {
		fmt.Fprintln(w)
		if err := write(w); err != nil {
			return err
		}
	}
	return nil
}

// first are the rows to print; it says how many more there are.
func first[T any](w io.Writer, all []T) []T {
	if len(all) > shown {
		fmt.Fprintf(w, "the first %d of %d:\n", shown, len(all))
		return all[:shown]
	}
	return all
}

func (e *Explanation) writeInputs(w io.Writer) error {
	tab := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tab, "INPUT\tTABLE\tSOURCE\tOF\tVALUE\tAPPLIED OFFSET")
	for _, in := range e.Inputs {
		if len(in.Rows) == 0 {
			fmt.Fprintf(tab, "%s\t%s\t-\t-\tno rows\t-\n", in.Metric, in.Table)
		}
		for _, r := range first(tab, in.Rows) {
			applied := "-"
			if r.AppliedOffset != nil {
				applied = fmt.Sprint(*r.AppliedOffset)
			}
			fmt.Fprintf(tab, "%s\t%s\t%s\t%s\t%d %s\t%s\n", in.Metric, in.Table, name(r.Source), orDash(r.Of), r.Value, r.Unit, applied)
		}
	}
	if err := tab.Flush(); err != nil {
		return err
	}
	for _, in := range e.Inputs {
		if in.Metric != e.Metric {
			fmt.Fprintf(w, "%s: %s\n", in.Metric, in.Formula)
		}
	}
	return nil
}

func (e *Explanation) writeDimension(w io.Writer) error {
	if len(e.Dimension) == 0 {
		_, err := fmt.Fprintln(w, "Nothing was known of the account at the window's end.")
		return err
	}
	tab := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tab, "ACCOUNT AS OF WINDOW END\tVALUE\tSINCE\tRECORD")
	for _, a := range e.Dimension {
		fmt.Fprintf(tab, "%s\t%s\t%s\t%s offset %d\n", a.Name, a.Value, a.ValidFrom.Format(time.RFC3339), name(a.Source), a.Offset)
	}
	return tab.Flush()
}

func (e *Explanation) writeSources(w io.Writer) error {
	if len(e.Sources) == 0 {
		_, err := fmt.Fprintln(w, "No record of the window has been counted for this account, so no log was read.")
		return err
	}
	tab := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tab, "SOURCE\tLAST OFFSET\tCHECKPOINT\tWATERMARK\tLOG READ\tEVENTS\tLATE\tDUPLICATES DROPPED")
	for _, s := range e.Sources {
		fmt.Fprintf(tab, "%s\t%d\t%d\t%s\t%d to %d\t%d\t%d\t%d\n", name(s.Source), s.AppliedOffset, s.Checkpoint,
			s.Watermark.Format(time.RFC3339), s.From, s.To, s.Events, s.Late, s.Duplicates)
	}
	if err := tab.Flush(); err != nil {
		return err
	}
	for _, s := range e.Sources {
		if s.Whole {
			fmt.Fprintf(w, "%s: what was read is all that can hold events of the window\n", name(s.Source))
		} else {
			fmt.Fprintf(w, "%s: not all was read: %s\n", name(s.Source), s.Why)
		}
	}
	return nil
}

func (e *Explanation) writeEvents(w io.Writer) error {
	tab := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tab, "EVENT\tSOURCE\tOFFSET\tID\tNAME\tEVENT TIME\tIN KAFKA")
	for _, s := range e.Sources {
		for _, sort := range []struct {
			name   string
			events []Event
		}{{"counted", s.Samples}, {"late", s.LateSamples}, {"duplicate", s.DroppedSamples}} {
			for _, ev := range sort.events {
				fmt.Fprintf(tab, "%s\t%s\t%d\t%s\t%s\t%s\t%s\n", sort.name, name(s.Source), ev.Offset, orDash(ev.ID), ev.Name,
					ev.At.Format(stamp), ev.Logged.Format(stamp))
			}
		}
	}
	return tab.Flush()
}

const stamp = "2006-01-02T15:04:05.000Z"

// name is a source without its topic id.
func name(source string) string {
	before, _, _ := strings.Cut(source, "@")
	return before
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
