package triggers

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"tidemark/schemas/rules"
	sink "tidemark/sinks/clickhouse"
)

// complement adds to the evidence of what is told how far each source was read, what health is made of, and the value of the window before. The latter
// only of rules whose inputs are read within a tick.
func (r *reign) complement(ctx context.Context, out outcome, now time.Time) error {
	told := slices.DeleteFunc(slices.Clone(out.changes), func(c change) bool { return c.evidence == nil || c.program.index < 0 })
	if len(told) == 0 {
		return nil
	}
	if err := r.components(ctx, told); err != nil {
		return err
	}
	offsets, err := r.offsets(ctx)
	if err != nil {
		return err
	}
	accounts, wanted := map[string]bool{}, map[want]bool{}
	j := r.job(nil, nil, now)
	for _, c := range told {
		c.evidence.Offsets = map[string]uint64{}
		for source, position := range offsets {
			topic, _, _ := strings.Cut(source, "/")
			if slices.Contains(c.program.topics, r.roles()[topic]) {
				c.evidence.Offsets[source] = position
			}
		}
		if back := r.window(c.program); back > 0 {
			accounts[c.account] = true
			for _, n := range c.program.inputs[c.program.Value] {
				wanted[j.want(c.program, n, c.at.Add(-back), c.present)] = true
			}
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	j.readings = newReadings(slices.Sorted(maps.Keys(accounts)), r.since)
	if err := r.reader.read(ctx, r.generation, j.readings, slices.Collect(maps.Keys(wanted)), now); err != nil {
		return fmt.Errorf("read the windows before: %w", err)
	}
	for _, c := range told {
		back := r.window(c.program)
		i, ok := j.readings.index[c.account]
		if back == 0 || !ok {
			continue
		}
		v, err := c.program.Value.Eval(j.values(c.program, c.program.Value, i, c.at.Add(-back), c.present))
		if err != nil || !v.Known || v.Type != rules.Number {
			continue
		}
		previous := v.Number
		c.evidence.Previous = &previous
		if value := c.told[len(c.told)-1].Value; value != nil && previous != 0 {
			trend := *value/previous - 1
			c.evidence.Trend = &trend
		}
	}
	return nil
}

// window is how far back the window before is of the value that a rule shows; 0: it has none that is quickly read.
func (r *reign) window(p *program) time.Duration {
	if !p.fast || p.Value == nil {
		return 0
	}
	var size time.Duration
	for _, n := range p.inputs[p.Value] {
		if in := r.inputs[n]; in.windowed() {
			size = max(size, in.Shape.Size)
		}
	}
	return size
}

// offsets are how far each source was read.
func (r *reign) offsets(ctx context.Context) (map[string]uint64, error) {
	out := map[string]uint64{}
	err := sink.Each(r.Client.LoadContext(ctx), r.Client.Conn(), "SELECT source, position FROM source_progress", func(rows driver.Rows) error {
		var source string
		var position uint64
		err := rows.Scan(&source, &position)
		out[source] = position
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read how far sources were read: %w", err)
	}
	return out, nil
}
