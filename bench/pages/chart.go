package pages

import (
	"bytes"
	"fmt"
	"html"

	"tidemark/bench/figures"
)

// panel is a group of bars on one scale.
type panel struct {
	title string
	goal  float64 // a line; 0 = none
	bars  []bar
}

type bar struct {
	label  string
	ours   bool
	figure figures.Figure
}

const (
	chartWidth = 760
	labelWidth = 250
	barsWidth  = 400
	barHeight  = 18
	rowHeight  = 26
)

// chart draws what is there of the figures: bars of medians, whiskers from least to greatest.
func chart(r figures.Report) []byte {
	panels := []panel{
		collect(r, "Events a second, same topic, same machine", 0,
			entry{"throughput", "bare_rate", "bare franz-go consume", false}, entry{"throughput", "rate", "Tidemark, full job", true},
			entry{"peers", "flink_rate", "Flink, one tier", false}, entry{"peers", "clickhouse_rate", "ClickHouse Kafka engine, one tier", false},
			entry{"peers", "kafkastreams_rate", "Kafka Streams EOS, one tier", false}),
		collect(r, "Freshness, seconds from Kafka's acknowledgement to a view", 1.2,
			entry{"freshness", "p50", "half of the highest rate, median", true}, entry{"freshness", "p99", "half of the highest rate, 99 %", true},
			entry{"freshness", "idle_p50", "nearly idle, median", true}, entry{"freshness", "idle_p99", "nearly idle, 99 %", true}),
		collect(r, "CPU of all processes in their own code, µs an event", 0,
			entry{"processes", "user_1", "1 process", true}, entry{"processes", "user_2", "2 processes", true},
			entry{"processes", "user_4", "4 processes", true}, entry{"processes", "user_8", "8 processes", true}),
	}
	var body bytes.Buffer
	y := 10
	for _, p := range panels {
		if len(p.bars) > 0 {
			y = p.draw(&body, y)
		}
	}
	return fmt.Appendf(nil, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" font-family="system-ui, sans-serif" font-size="13">
<rect width="%[1]d" height="%[2]d" fill="#ffffff"/>
%[3]s</svg>
`, chartWidth, y, body.Bytes())
}

type entry struct {
	section, id, label string
	ours               bool
}

func collect(r figures.Report, title string, goal float64, entries ...entry) panel {
	p := panel{title: title, goal: goal}
	for _, e := range entries {
		if f, err := r.Find(e.section, e.id); err == nil {
			p.bars = append(p.bars, bar{e.label, e.ours, f})
		}
	}
	return p
}

// draw writes the panel from y on, and returns where it ends.
func (p panel) draw(to *bytes.Buffer, y int) int {
	scale := p.goal
	for _, b := range p.bars {
		scale = max(scale, b.figure.Max)
	}
	x := func(v float64) float64 { return labelWidth + v/scale*barsWidth }
	fmt.Fprintf(to, `<text x="10" y="%d" font-weight="600" fill="#1f2933">%s</text>`+"\n", y+16, html.EscapeString(p.title))
	y += 28
	top := y
	for _, b := range p.bars {
		fill := "#9aa5b1"
		if b.ours {
			fill = "#1f6feb"
		}
		f, middle := b.figure, y+barHeight/2
		fmt.Fprintf(to, `<text x="%d" y="%d" text-anchor="end" fill="#1f2933">%s</text>`, labelWidth-8, middle+5, html.EscapeString(b.label))
		fmt.Fprintf(to, `<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/>`, labelWidth, y, x(f.Median)-labelWidth, barHeight, fill)
		if f.Max > f.Min {
			fmt.Fprintf(to, `<path d="M%.1f %d H%.1f M%[1]f %[4]d v8 M%[3]f %[4]d v8" stroke="#1f2933" stroke-width="1.5"/>`, x(f.Min), middle, x(f.Max), middle-4)
		}
		fmt.Fprintf(to, `<text x="%.1f" y="%d" fill="#1f2933">%s</text>`+"\n", x(f.Max)+8, middle+5, figures.Short(f.Median))
		y += rowHeight
	}
	if p.goal > 0 {
		fmt.Fprintf(to, `<path d="M%.1f %d V%d" stroke="#b42318" stroke-dasharray="4 3"/><text x="%[1]f" y="%[4]d" text-anchor="middle" fill="#b42318" font-size="11">goal %[5]s</text>`+"\n",
			x(p.goal), top-2, y-6, y+6, figures.Short(p.goal))
		y += 10
	}
	return y + 12
}
