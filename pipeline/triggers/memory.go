package triggers

import (
	"math"

	"tidemark/schemas/rules"
)

// memory keeps the numbers that were read of accounts from a table until rows of theirs are written to it: an account that has done
// something is judged without reading its tickets again. Each number is of a want, whose window does not move; a nil memory keeps none.
type memory struct {
	index   map[string]int
	numbers map[want][]float64 // by the accounts' index; NaN, or beyond the end: not known
}

func newMemory() *memory {
	return &memory{index: map[string]int{}, numbers: map[want][]float64{}}
}

// tableOf is the table that numbers are read from.
var tableOf = map[way]string{byCounters: "counters_all", byMembers: "member_sets_all", byTickets: "facts_all"}

// forget forgets what was read from a table of accounts that rows were written of.
func (m *memory) forget(inputs []input, table string, accounts map[string]bool) {
	for w, numbers := range m.numbers {
		if tableOf[inputs[w.input].way] != table {
			continue
		}
		for a := range accounts {
			if i, ok := m.index[a]; ok && i < len(numbers) {
				numbers[i] = math.NaN()
			}
		}
	}
}

// keep forgets all but some wants: the windows of others are past.
func (m *memory) keep(wanted []want) {
	kept := map[want][]float64{}
	for _, w := range wanted {
		if numbers, ok := m.numbers[w]; ok {
			kept[w] = numbers
		}
	}
	m.numbers = kept
}

// prepare makes room for what will be read, so that reading it side by side writes to no map.
func (m *memory) prepare(accounts []string, wanted []want) {
	if m == nil {
		return
	}
	for _, a := range accounts {
		if _, ok := m.index[a]; !ok {
			m.index[a] = len(m.index)
		}
	}
	for _, w := range wanted {
		numbers := m.numbers[w]
		for len(numbers) < len(m.index) {
			numbers = append(numbers, math.NaN())
		}
		m.numbers[w] = numbers
	}
}

// recall gives what is known of some wants to the accounts of readings, and returns the accounts of which not all is.
func (m *memory) recall(into *readings, ws []want) (unknown []string) {
	if m == nil {
		return into.accounts
	}
accounts:
	for n, a := range into.accounts {
		i := m.index[a]
		for _, w := range ws {
			if math.IsNaN(m.numbers[w][i]) {
				unknown = append(unknown, a)
				continue accounts
			}
		}
		for _, w := range ws {
			into.number(w, n, m.numbers[w][i])
		}
	}
	return unknown
}

// note remembers the numbers of an account.
func (m *memory) note(account string, ws []want, numbers []float64) {
	if m == nil {
		return
	}
	i := m.index[account]
	for k, w := range ws {
		m.numbers[w][i] = numbers[k]
	}
}

// number gives an account its number, unless it is not known to the view: what is unknown stays so.
func (r *readings) number(w want, n int, number float64) {
	if v := r.values[w]; v[n].Known {
		v[n] = rules.Num(number)
	}
}
