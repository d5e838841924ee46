package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// figures are what a test went through. The columns of the table are in this order.
type figures struct {
	day                                              string // when it ran
	seeds, kills, faults, records, rows, differences int
}

var (
	current   = regexp.MustCompile(`^=== (?:RUN|NAME|CONT) +([^/\s]+)`)
	survived  = regexp.MustCompile(`^ +\w+_test\.go:\d+: kills survived (\d+), other faults (\d+), records (\d+), rows compared (\d+), differences (\d+)$`)
	simulated = regexp.MustCompile(`^ +\w+_test\.go:\d+: seeds run (\d+), records (\d+), rows compared (\d+), .*\bdifferences (\d+);`)
	failed    = regexp.MustCompile(`^ *--- FAIL: (\S+)|^FAIL\t|^panic:`)
	passed    = regexp.MustCompile(`^ok +\ttidemark/(\S+)`)
)

// parseLog reads the figures that tests printed, by the test's name. Figures of subtests are added up. A run that failed,
// or that was cut off, has none.
func parseLog(log io.Reader, day string) (map[string]figures, error) {
	all, pending, name := map[string]figures{}, map[string]figures{}, ""
	lines := bufio.NewScanner(log)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		if m := current.FindStringSubmatch(line); m != nil {
			name = m[1]
		}
		f := pending[name]
		f.day = day
		switch m := survived.FindStringSubmatch(line); {
		case m != nil:
			add(m[1:], &f.kills, &f.faults, &f.records, &f.rows, &f.differences)
			pending[name] = f
		case simulated.MatchString(line):
			add(simulated.FindStringSubmatch(line)[1:], &f.seeds, &f.records, &f.rows, &f.differences)
			pending[name] = f
		case failed.MatchString(line):
			return nil, fmt.Errorf("the run failed, so its figures are worth nothing: %s", line)
		case passed.MatchString(line):
			for name, f := range pending {
				all[passed.FindStringSubmatch(line)[1]+" "+name] = f
			}
			clear(pending)
		}
	}
	switch {
	case lines.Err() != nil:
		return nil, lines.Err()
	case len(pending) > 0:
		return nil, errors.New("the log has figures, but not the end of the run, so nobody knows whether it passed")
	case len(all) == 0:
		return nil, errors.New("no test has printed figures: was go test run with -v?")
	}
	return all, nil
}

// add adds digits to numbers.
func add(digits []string, to ...*int) {
	for i, n := range to {
		v, _ := strconv.Atoi(digits[i]) // which the expressions have seen to
		*n += v
	}
}

const figuresHead = "| test | run on | seeds run | kills survived | other faults | records | rows compared | differences | command |\n|---|---|---|---|---|---|---|---|---|\n"

// figuresTable writes the table. A seed that is not the tests' own is part of the command.
func figuresTable(all map[string]figures, tests []test) (string, error) {
	out := figuresHead
	for _, name := range slices.Sorted(maps.Keys(all)) {
		i := slices.IndexFunc(tests, func(t test) bool { return t.name == name })
		if i < 0 {
			return "", fmt.Errorf("there are figures of %s, but no such test: take its row out of docs/reliability.md", name)
		}
		f, command := all[name], tests[i].command()
		if f.seeds > 0 {
			command = fmt.Sprintf("TEST_SEEDS=%d %s", f.seeds, command)
		}
		out += fmt.Sprintf("| `%s` | %s | %d | %d | %d | %d | %d | %d | `%s` |\n",
			name, f.day, f.seeds, f.kills, f.faults, f.records, f.rows, f.differences, command)
	}
	return out, nil
}

var row = regexp.MustCompile("^\\| `([^`]+)` \\| ([\\d-]+) \\|((?: \\d+ \\|){6}) `")

// readTable reads figuresTable's table back from the page.
func readTable(page string) (map[string]figures, error) {
	_, table, _, err := between(page, "figures")
	if err != nil {
		return nil, err
	}
	all := map[string]figures{}
	for line := range strings.Lines(strings.TrimPrefix(table, figuresHead)) {
		m := row.FindStringSubmatch(line)
		if m == nil {
			return nil, fmt.Errorf("not a row of figures: %s", line)
		}
		f := figures{day: m[2]}
		add(strings.Fields(strings.ReplaceAll(m[3], "|", "")), &f.seeds, &f.kills, &f.faults, &f.records, &f.rows, &f.differences)
		all[m[1]] = f
	}
	return all, nil
}
