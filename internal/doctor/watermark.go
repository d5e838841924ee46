package doctor

import (
	"fmt"
	"strings"
	"time"

	"tidemark/pipeline/lag"
)

const (
	// idleAfter is how long a silent source holds its topic back; it is part of the view completeness.
	idleAfter = 300.0
	// slack is what a watermark may be late beyond that before it counts as standing.
	slack = 60.0
	// unseen is how long ago a source was looked at when its owner has stopped writing; it does so every few seconds.
	unseen = 60.0
)

// Watermark is up to when a topic is complete, and what keeps it there.
type Watermark struct {
	Topic  string    `json:"topic"`
	To     time.Time `json:"complete_to"`
	Age    float64   `json:"age_seconds"` // 0 if nothing is known yet
	Stands bool      `json:"stands"`      // longer than the disorder and silence explain
	Source string    `json:"source"`      // that holds it: topic/partition
	Why    string    `json:"why"`
}

// Watermarks tells of each topic that has rows up to when it is complete, and why not longer.
func Watermarks(f *Facts) []Watermark {
	if f.Store == nil {
		return nil
	}
	var all []Watermark
	for _, c := range f.Store.Complete {
		w := Watermark{Topic: c.Topic, To: c.To, Age: f.At.Sub(c.To).Seconds()}
		w.Stands = w.Age > f.Disorder[c.Topic]+idleAfter+slack
		if c.To.Unix() <= 0 {
			w.Age, w.Stands = 0, true
		}
		if s := f.holder(c.Topic); s != nil {
			w.Source, _, _ = strings.Cut(s.Source, "@")
			w.Why = f.why(s)
		}
		all = append(all, w)
	}
	return all
}

// holder is the source whose watermark is the lowest, as the view completeness has it.
func (f *Facts) holder(topic string) *Source {
	var lowest *Source
	var low time.Time
	for i := range f.Store.Sources {
		s := &f.Store.Sources[i]
		if of, _, _ := strings.Cut(s.Source, "/"); of != topic || !f.current(s) {
			continue
		}
		bound := s.Watermark
		if silent := f.silentTo(topic, s); silent.After(bound) {
			bound = silent
		}
		if lowest == nil || bound.Before(low) {
			lowest, low = s, bound
		}
	}
	return lowest
}

// silentTo is up to when a source that is read to its end is complete by its silence.
func (f *Facts) silentTo(topic string, s *Source) time.Time {
	if s.LagRecords > 0 {
		return time.Time{}
	}
	return s.ObservedAt.Add(-time.Duration((f.Disorder[topic] + idleAfter) * float64(time.Second)))
}

// current says whether the source's topic is still the one that Kafka has; unknown counts as yes.
func (f *Facts) current(s *Source) bool {
	return f.Lag == nil || f.inKafka(s) != nil
}

func (f *Facts) inKafka(s *Source) *lag.Source {
	for _, k := range f.sources(func(k *lag.Source) bool { return name(k)+"@"+k.TopicID == s.Source }) {
		return k
	}
	return nil
}

// why says what keeps the watermark of a source where it is.
func (f *Facts) why(s *Source) string {
	source, _, _ := strings.Cut(s.Source, "@")
	topic, _, _ := strings.Cut(source, "/")
	for _, one := range stopped(f) {
		if strings.HasPrefix(one.Title, source+" ") {
			return source + " has stopped and needs a person"
		}
	}
	k, age := f.inKafka(s), f.At.Sub(s.ObservedAt).Seconds()
	switch {
	case k != nil && k.State == lag.Unassigned:
		return "nobody reads " + source
	case age > unseen:
		return fmt.Sprintf("%s has not been looked at for %s: its owner does not write", source, ago(age))
	case k != nil && k.LagRecords > 0 && (k.LagSeconds == nil || *k.LagSeconds > tolerated):
		return fmt.Sprintf("%s is behind: %d records, %s", source, k.LagRecords, oldest(k.LagSeconds))
	case f.silentTo(topic, s).After(s.Watermark):
		return fmt.Sprintf("%s is silent, and so is complete up to %s before it was looked at", source, ago(f.Disorder[topic]+idleAfter))
	default:
		return fmt.Sprintf("the newest event of %s is of %s, and pipeline.disorder is %s", source,
			s.Watermark.Add(time.Duration(f.Disorder[topic]*float64(time.Second))).UTC().Format(time.RFC3339), ago(f.Disorder[topic]))
	}
}

func watermarks(f *Facts) []Finding {
	var found []Finding
	for _, w := range Watermarks(f) {
		if !w.Stands {
			continue
		}
		one := Finding{
			Cause: WatermarkStands, Severity: Ticket, Title: "windows of " + w.Topic + " are not complete",
			Affects: "complete is false in the newest windows, and rules that wait for complete windows do not fire", Evidence: []string{w.Why},
			Do: []string{"tidemark top shows it move", "tidemark check: a clock that is wrong dates events wrongly"},
		}
		if w.Age > 0 {
			one.Title = fmt.Sprintf("windows of %s are complete up to %s only, %s ago", w.Topic, w.To.UTC().Format(time.RFC3339), ago(w.Age))
			one.Since = at(w.To)
		}
		found = append(found, one)
	}
	return found
}
