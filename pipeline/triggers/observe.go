package triggers

import "tidemark/schemas/rules"

// Observe evaluates the conditions of a rule, of which values gives what each reads, and returns what they say and the value that
// the rule shows: where it does not hold, only if show asks for it, as nobody needs that but of an alert that is firing. Who is
// observed, and as of when, is the caller's to fill in. A condition that cannot be evaluated is unknown, and failed is told why.
func Observe(r *rules.Rule, show bool, values func(*rules.Condition) func(int) rules.Value, failed func(error)) (o Observation, shown rules.Value) {
	eval := func(c *rules.Condition) rules.Value {
		if c == nil {
			return rules.Value{}
		}
		v, err := c.Eval(values(c))
		if err != nil {
			failed(err)
			return rules.Value{}
		}
		return v
	}
	o.Holds = TruthOf(eval(r.When))
	o.Enough = TruthOf(eval(r.Minimum))
	if o.Holds != True {
		o.Clears = TruthOf(eval(r.ClearWhen))
	}
	if o.Holds != True && !show {
		return o, shown
	}
	if shown = eval(r.Value); shown.Known && shown.Type == rules.Number {
		value := shown.Number
		o.Value = &value
		for _, level := range r.Levels {
			if shown.Number >= level {
				o.Level++
			}
		}
	}
	return o, shown
}
