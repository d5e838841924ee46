package views

import "fmt"

const fromAnswers branch = "answers"

// sentimentDays are the lengths of the windows over which answers to surveys are counted.
var sentimentDays = []int64{1, 28, 90, 365}

// question is a kind of survey and how its answers are counted.
type question struct {
	Kind, Class string  // the survey's, and that of the answers which count for the score
	Counts      []count // columns of answers
	Score       column
	SQL         string // of the score
}

type count struct{ Column, Class, Meaning string } // an empty class is every answer

var questions = []question{
	{
		Kind: "nps",
		Counts: []count{
			{"nps_responses", "", "Users whose latest NPS answer in the window counts: the n of nps."},
			{"nps_promoters", "promoter", "Of those, answers of 9 or 10; on a scale that does not end at 10, in its upper tenth."},
			{"nps_passives", "passive", "Of those, answers of 7 or 8; on another scale, from seven to nine tenths of the way up."},
			{"nps_detractors", "detractor", "Of those, lower answers."},
		},
		Score: column{"nps", "Nullable(Float64)", "points", "Net promoter score: 100 times promoters less detractors, divided by the answers, from -100 to 100 (metrics.md row 24); NULL without answers."},
		SQL:   "if(w.nps_responses > 0, 100 * (toInt64(w.nps_promoters) - toInt64(w.nps_detractors)) / w.nps_responses, NULL)",
	},
	{
		Kind: "csat",
		Counts: []count{
			{"csat_responses", "", "Users whose latest CSAT answer in the window counts: the n of csat."},
			{"csat_satisfied", "satisfied", "Of those, 4 or 5 of 5, and the upper of two points; on another scale, its upper quarter."},
		},
		Score: column{"csat", "Nullable(Float64)", "percent", "Customer satisfaction: share of satisfied answers (metrics.md row 25); NULL without answers."},
		SQL:   "if(w.csat_responses > 0, 100 * w.csat_satisfied / w.csat_responses, NULL)",
	},
	{
		Kind: "ces",
		Counts: []count{
			{"ces_responses", "", "Users whose latest CES answer in the window counts: the n of ces."},
			{"ces_easy", "easy", "Of those, 5 to 7 of 7; on another scale, its upper third."},
		},
		Score: column{"ces", "Nullable(Float64)", "percent", "Customer effort: share of the answers that found it easy; NULL without answers."},
		SQL:   "if(w.ces_responses > 0, 100 * w.ces_easy / w.ces_responses, NULL)",
	},
}

// sentiment are the views of what users answered to surveys, by account and by segment.
func (b *builder) sentiment() ([]view, error) {
	var out []view
	for _, days := range sentimentDays {
		r := rolling{
			builder: b, Days: days, Keys: []string{"account_id"}, Topic: b.Topics.Signals.Name, Dimension: true,
			Slices: b.rollingSlices(), rows: []string{"sentiment_rows"},
		}
		var columns []column
		for _, q := range questions {
			for _, c := range q.Counts {
				part := "sumIf(delta, kind = " + Quote(q.Kind) + ")"
				if c.Class != "" {
					part = "sumIf(delta, kind = " + Quote(q.Kind) + " AND class = " + Quote(c.Class) + ")"
				}
				of := column{c.Column, "UInt64", "answers", c.Meaning}
				columns = append(columns, of)
				r.Measures = append(r.Measures, shown(of, fromAnswers, part, running, days))
			}
			r.Extra = append(r.Extra, extra{q.Score, q.SQL})
		}
		name, over := fmt.Sprintf("sentiment_%dd", days), fmt.Sprintf("over %d days (UTC), up to the end of every day", days)
		if days == 1 {
			name, over = "sentiment_day", "by the day (UTC)"
		}
		v, err := r.view(name, "What the users of each account answered to surveys "+over+
			": the latest answer of each user to each kind of survey; an answer of nobody in particular counts by itself.")
		if err != nil {
			return nil, err
		}
		query, err := b.render("segment_sentiment", segmentSentiment{b, name, days, columns})
		if err != nil {
			return nil, err
		}
		segment := append(windowColumns("segment"), column{"accounts", "UInt64", "accounts", "Accounts of the segment as of the window's end."},
			column{"answering_accounts", "UInt64", "accounts", "Of those, accounts with an answer that counts."})
		for _, q := range questions {
			segment = append(segment, q.Score)
		}
		out = append(out, v, view{
			Name:    "segment_" + name,
			Comment: "What the users of each segment answered to surveys " + over + ": all answers of its accounts together.",
			Columns: append(append(segment, columns...), complete),
			Query:   query,
		})
	}
	return out, nil
}

// segmentSentiment is the data of the template segment_sentiment.sql.
type segmentSentiment struct {
	*builder
	Of     string // the view of accounts that is added up
	Days   int64
	Counts []column
}

// Questions is for the templates.
func (segmentSentiment) Questions() []question { return questions }

// ShownFrom is the SQL of the last day of the oldest window of the slice.
func (r rollingSlice) ShownFrom() string { return r.StartOfDay((r.Ages.To - 1) * day) }
