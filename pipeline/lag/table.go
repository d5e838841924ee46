package lag

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"text/tabwriter"
	"time"
)

// WriteTable writes the report for people.
func (r *Report) WriteTable(out io.Writer) error {
	var text bytes.Buffer
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	r.writeGroup(w, "create it with tidemark migrate")
	if r.Normaliser != nil {
		fmt.Fprintln(w)
		r.Normaliser.writeGroup(w, "create it, or correct normalise.topics")
	}
	fmt.Fprintln(w)
	r.writeRecords(w)
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := out.Write(padding.ReplaceAll(text.Bytes(), nil))
	return err
}

// padding is what tabwriter puts after the last of the cells that are not empty.
var padding = regexp.MustCompile(`(?m) +$`)

// writeGroup writes where a group stands; missing is what to do about a topic that does not exist.
func (r *Report) writeGroup(w io.Writer, missing string) {
	fmt.Fprintf(w, "group %s: %s, members: %d\n\n", r.Group.Name, r.Group.State, r.Group.Members)
	r.writeSources(w)
	for _, topic := range r.MissingTopics {
		fmt.Fprintf(w, "\ntopic %s does not exist: %s\n", topic, missing)
	}
	for i := range r.Sources {
		s := &r.Sources[i]
		if s.Problem != "" {
			fmt.Fprintf(w, "\n%s/%d: %s\n", s.Topic, s.Partition, s.Problem)
		}
		if s.HeldBack > 0 {
			fmt.Fprintf(w, "\n%s/%d: a transaction that is still open holds back %d records\n", s.Topic, s.Partition, s.HeldBack)
		}
	}
}

func (r *Report) writeSources(w io.Writer) {
	fmt.Fprintln(w, "TOPIC\tPARTITION\tCOMMITTED\tEND\tLAG\tWAITING\tWATERMARK\tAGE\tOWNER\tSTATE")
	for i := range r.Sources {
		s := &r.Sources[i]
		committed, watermark, age, owner := "-", "-", "-", "-"
		if s.Committed != nil {
			committed = strconv.FormatInt(*s.Committed, 10)
		}
		if s.Watermark != nil {
			watermark, age = s.Watermark.Format(time.RFC3339), seconds(s.WatermarkAge, time.Second)
		}
		if s.Owner != "" {
			owner = s.Owner
		}
		fmt.Fprintf(w, "%s\t%d\t%s\t%d\t%d\t%s\t%s\t%s\t%s\t%s\n", s.Topic, s.Partition, committed, s.End, s.LagRecords,
			seconds(s.LagSeconds, 100*time.Millisecond), watermark, age, owner, s.State)
	}
	fmt.Fprintf(w, "total\t\t\t\t%d\t%s\t\t\t\t\n", r.Total.LagRecords, seconds(r.Total.LagSeconds, 100*time.Millisecond))
}

func (r *Report) writeRecords(w io.Writer) {
	if r.ClickHouseError != "" {
		fmt.Fprintf(w, "ClickHouse was not read: %s\n", r.ClickHouseError)
		return
	}
	fmt.Fprintln(w, "RECORDS\tRECEIVED\tAPPLIED\tDUPLICATE\tFILTERED\tDEAD-LETTERED")
	for _, n := range r.Records {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\n", n.Topic, n.Received, n.Applied, n.Duplicate, n.Filtered, n.DeadLettered)
	}
	if len(r.DeadLetters) == 0 {
		return
	}
	fmt.Fprintln(w, "\nDEAD LETTERS\tREASON\tCOUNT")
	for _, n := range r.DeadLetters {
		fmt.Fprintf(w, "%s\t%s\t%d\n", n.Topic, n.Reason, n.Count)
	}
}

// seconds shows a time in seconds, rounded; one that is not known is a question mark.
func seconds(s *float64, to time.Duration) string {
	if s == nil {
		return "?"
	}
	return time.Duration(*s * float64(time.Second)).Round(to).String()
}
