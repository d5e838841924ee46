package rules_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tidemark/schemas/rules"
)

func TestMistakesInRulesAreNamed(t *testing.T) {
	for when, want := range map[string]string{
		`usage_7d.activ_users > 1`:                  `own.yaml:7: at character 9: usage_7d has no column activ_users that a condition can read; did you mean active_users?`,
		`usage_8d.active_users > 1`:                 `there is no "usage_8d"; did you mean usage_`,
		`usage_7d > 1`:                              `usage_7d needs a column`,
		`usage_7d.events > "a"`:                     `found no matching overload for '>' applied to '(number, text)'`,
		`usage_7d.events`:                           `"usage_7d.events" is a number, where a bool is needed`,
		`usage_7d.events > 1 &&`:                    `Syntax error`,
		`workflows_7d["report_publishd"].started>1`: `the catalogue has no workflow "report_publishd"; did you mean report_published?`,
		`workflows_7d.started > 1`:                  `workflows_7d has a row for each workflow: write workflows_7d["NAME"].started, or max(workflows_7d.started)`,
		`usage_7d["x"].events > 1`:                  `usage_7d has one row of an account and no key`,
		`prevous(usage_7d.events) > 1`:              `there is no function prevous; did you mean previous?`,
		`previous(account.seats) > 1`:               `account.seats has no windows, so there is none before`,
		`previous(usage_7d.events, 99) > 1`:         `from 1 to 12 windows back`,
		`account.attributes > 1`:                    `account.attributes is a map: write account.attributes["NAME"]`,
		`usage_7d.events.exists(x, x > 1)`:          `there is no function exists`,
		`[1,2].all(x, x > 1)`:                       `there is no function all`,
		`sessions.duration_seconds > 1`:             `there is no "sessions"`,
		`account.plan == 3`:                         `found no matching overload for '=='`,
		`known(1)`:                                  `known takes one column of a view`,
		`max(usage_7d.events) > 1`:                  `usage_7d.events is one value of an account already`,
		`calendar.weekday == 1`:                     `calendar has no column weekday`,
		`baseline(account.plan) > 1`:                `baseline takes a number of a view with windows`,
	} {
		_, err := one(t, when)
		require.ErrorContains(t, err, want, when)
		require.ErrorContains(t, err, "own.yaml:", when)
		require.ErrorContains(t, err, "when of rule a", when)
	}
}

func TestMistakesInKeysAreNamed(t *testing.T) {
	const rest = ", description: d, playbook: p, owner: o, when: 'usage_7d.events > 1'"
	for rule, want := range map[string]string{
		`{name: a, wen: x}`:                                       `own.yaml:3: rules has no key "wen"; did you mean when?`,
		`{name: A` + rest + `}`:                                   `the name must match`,
		`{name: a, when: 'usage_7d.events > 1'}`:                  `description is missing: an alert that nobody acts on is noise`,
		`{name: a, severity: pages` + rest + `}`:                  `severity "pages" is unknown; did you mean page?`,
		`{name: a, levels: [2, 1]` + rest + `}`:                   `levels must ascend; 1 comes after 2`,
		`{name: a, inhibited_by: [b]` + rest + `}`:                `there is no rule "b"`,
		`{name: a, inhibited_by: [a]` + rest + `}`:                `inhibited_by leads back to itself`,
		`{name: a, for: 3` + rest + `}`:                           `own.yaml:3: "3" is not a positive duration`,
		`{name: a, quiet_hours: {from: 8}` + rest + `}`:           `quiet_hours need from and to`,
		`{name: a, quiet_hours: {all_day: [sunday]}` + rest + `}`: `day "sunday" is unknown`,
		`{name: a, description: d, playbook: p, owner: o}`:        `rule a needs when, or value and levels`,
		`{name: a, value: account.plan` + rest + `}`:              `"account.plan" is a text, where a number is needed (value of rule a)`,
	} {
		_, err := load(t, "pack: none\nrules:\n  - "+rule+"\n")
		require.ErrorContains(t, err, want, rule)
	}
	_, err := load(t, "pack: some\nrules: []\n")
	require.ErrorContains(t, err, `pack is "some"`)
}

func TestOwnRulesReplaceThoseOfThePack(t *testing.T) {
	shipped, err := load(t, "")
	require.NoError(t, err)
	own, err := load(t, "rules:\n  - {name: silent, description: mine, playbook: p, owner: o, when: 'usage_7d.events > 1'}\n")
	require.NoError(t, err)
	require.Len(t, own, len(shipped))
	var mine []string
	for _, r := range own {
		if r.Name == "silent" {
			mine = append(mine, r.Description)
		}
	}
	require.Equal(t, []string{"mine"}, mine)
}

func TestTooCostlyConditionsAreRefused(t *testing.T) {
	when := "usage_7d.events > 1"
	for range 9 {
		when = "(" + when + ") || (" + when + ")"
	}
	_, err := one(t, when)
	require.ErrorContains(t, err, "of CEL's units an evaluation")
}

// values evaluates a condition where inputs have the given values; the others are unknown.
func values(t *testing.T, c *rules.Condition, given map[string]rules.Value) rules.Value {
	t.Helper()
	v, err := c.Eval(func(i int) rules.Value { return given[c.Inputs()[i].String()] })
	require.NoError(t, err)
	return v
}

func TestUnknownIsNeitherTrueNorFalse(t *testing.T) {
	yes, no, unknown := rules.Truth(true), rules.Truth(false), rules.Value{}
	events := map[string]rules.Value{"usage_7d.events": rules.Num(5)}
	for when, want := range map[string]rules.Value{
		`usage_7d.events > 1 || usage_7d.seats > 1`:                        yes,
		`usage_7d.seats > 1 || usage_7d.events > 1`:                        yes,
		`usage_7d.events < 1 && usage_7d.seats > 1`:                        no,
		`usage_7d.seats > 1 && usage_7d.events < 1`:                        no,
		`usage_7d.seats > 1`:                                               unknown,
		`!(usage_7d.seats > 1)`:                                            unknown,
		`usage_7d.seats > 1 && usage_7d.events > 1`:                        unknown,
		`usage_7d.events / usage_7d.seats > 1`:                             unknown,
		`usage_7d.events / (usage_7d.events - 5) > 1`:                      unknown,
		`usage_7d.plan == "pro"`:                                           unknown,
		`usage_7d.plan in ["pro", "team"]`:                                 unknown,
		`known(usage_7d.seats)`:                                            no,
		`known(usage_7d.events)`:                                           yes,
		`or_else(usage_7d.seats, 3) == 3`:                                  yes,
		`or_else(usage_7d.events, 3) == 5`:                                 yes,
		`usage_7d.events < 0.5 * previous(usage_7d.events)`:                unknown,
		`usage_7d.events > baseline(usage_7d.events, 2)`:                   unknown,
		`!known(account.created_at) || days_since(account.created_at) > 3`: yes,
	} {
		r, err := one(t, when)
		require.NoError(t, err, when)
		require.Equal(t, want, values(t, r.When, events), when)
	}
}

func TestWhatAnAlertShows(t *testing.T) {
	for when, want := range map[string][2]string{
		`support_30d.escalated >= 3`: {"support_30d.escalated", "3"},
		`account.seats > 3 && usage_7d.events < 0.5 * previous(usage_7d.events)`: {"usage_7d.events", "0.5 * previous(usage_7d.events)"},
		`account.plan == "pro"`: {"", ""},
	} {
		r, err := one(t, when)
		require.NoError(t, err)
		var got [2]string
		if r.Value != nil {
			got = [2]string{r.Value.Source, r.Threshold.Source}
		}
		require.Equal(t, want, got)
	}
}
