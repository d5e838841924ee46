package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/internal/devclickhouse"
)

// drifted is what a producer sends after a release that renamed a property and made the user a number. It has neither an id nor a time.
const drifted = `{"type":"track","event":"Exported","userId":17,"context":{"groupId":"acme","library":{"name":"shop","version":"3.0"}},"properties":{"feat":"reports"}}`

const mend = `
when: topic == "telemetry" && has(record.userId)
steps:
  - {set: $.userId, cel: string(record.userId)}
  - {move: $.properties.feat, to: $.properties.feature}
`

// A poison batch, from schema drift, is seen by what is wrong with it, changed, sent again twice, and counted once in the hour in which it
// happened; what cannot be mended stays and is dropped. The books balance.
func TestDeadLettersAreRedrivenOnce(t *testing.T) {
	t.Parallel()
	b := startBackends(t)
	b.migrate(t)
	at := yesterday().Add(10 * time.Hour)
	b.poison(t, at)
	env := b.with("TIDEMARK_CANARY_ENABLED=false", "TIDEMARK_KAFKA_SESSION_TIMEOUT=6s")
	pipeline := launch(t, env, "run")
	defer pipeline.end()
	conn := b.store.Open(t, devclickhouse.Reader)
	number := func(query string) (n uint64) {
		require.NoError(t, conn.QueryRow(t.Context(), query).Scan(&n))
		return n
	}
	become := func(query string, want uint64) {
		t.Helper()
		require.Eventually(t, func() bool { return number(query) == want }, 5*time.Minute, 100*time.Millisecond, "%s\n%s", query, &pipeline.stderr)
	}
	dlq := func(code int, want string, args ...string) {
		t.Helper()
		got := tidemark(t, env, append([]string{"dlq"}, args...)...)
		require.Equal(t, code, got.code, "%s%s", got.stdout, got.stderr)
		require.Regexp(t, want, got.stdout+got.stderr)
	}
	become("SELECT count() FROM dead_letters", 7)
	hour := "SELECT sum(events) FROM usage_hour WHERE account_id = 'acme' AND window_start = toDateTime('" + at.Format(time.DateTime) + "', 'UTC')"
	become(hour, 3)

	require.Equal(t, uint64(5), number("SELECT records FROM dead_letters_by_producer WHERE topic = 'telemetry' AND reason = 'malformed' AND field = 'userId' AND producer = 'shop/3.0'"))
	dlq(exitOK, `(?m)^telemetry +malformed +userId +shop/3.0 +open +5 +\S+ +\S+$\n^telemetry +malformed +- +- +open +1 .*\n^tickets +unknown_kind +kind +desk +open +1 `, "ls")
	dlq(exitOK, `telemetry/\d@\S+:8 +open +malformed +"acme" +`+at.Add(8*time.Minute).Format(time.RFC3339)+` `, "ls", "--topic=telemetry", "--since=1h")
	dlq(exitFailure, `say which dead letters`, "redrive")
	dlq(exitFailure, `there is no dead letter telemetry/0:99`, "show", "telemetry/0:99")
	dlq(exitOK, `^telemetry/\d@\S+:3\n  reason  malformed: .*\n(.*\n)*  state   open\n  at      .*\n  key     "acme"\n  \{\n    "type": "track"`, "show", b.letter(t, 3))

	file := filepath.Join(t.TempDir(), "mend.yaml")
	require.NoError(t, os.WriteFile(file, []byte(mend), 0o600))
	mended := []string{"redrive", "--reason=malformed", "--transform=" + file, "--by=ann"}
	dlq(exitOK, `  - \$\.properties\.feat: "reports"
  \+ \$\.properties\.feature: "reports"
  - \$\.userId: 17
  \+ \$\.userId: "17"
  would be sent, as of `+at.Add(4*time.Minute).Format(time.RFC3339)+`
(.*\n)*5 would be redriven
1 left alone: they cannot be sent, or not be transformed`, append(mended, "--dry-run")...)
	dlq(exitOK, `^5 redriven\n1 left alone: they cannot be sent, or not be transformed`, mended...)
	dlq(exitOK, `^0 redriven\n5 were redriven or dropped before\n1 left alone`, mended...)
	become(hour, 8)
	become("SELECT sum(uses) FROM features_day WHERE account_id = 'acme' AND feature = 'reports'", 5)
	dlq(exitOK, `state   redriven by ann at `, "show", b.letter(t, 3))

	dlq(exitOK, `^0 redriven\n1 left alone: they would be refused again`, "redrive", "--topic=tickets")
	dlq(exitOK, `^1 dropped\n$`, "drop", "--reason=malformed")
	dlq(exitOK, `(?m)^telemetry +malformed +userId +\S+ +redriven +5 .*\n^telemetry +malformed +- +- +dropped +1 `, "ls", "--settled", "--topic=telemetry")
	dlq(exitOK, `^TOPIC .*\ntickets +unknown_kind .*\n *\nLETTER.*\ntickets/\d@\S+:0 .*\n$`, "ls")

	b.write(t, "telemetry", `{"type":"track","event":"A","userId":"u","messageId":"last","context":{"groupId":"acme"}}`)
	become("SELECT sum(events) FROM usage_day WHERE account_id = 'acme'", 9)
	b.settle(t, pipeline) // checkpoints come after the rows
	require.Equal(t, uint64(8), number(hour))
	require.Zero(t, number("SELECT count() FROM accounting"))
	require.Equal(t, uint64(16), number(`SELECT sum(received) FROM (SELECT source, argMax(received, offset) AS received, argMax(applied + duplicate + filtered + dead_lettered, offset) AS verdicts
		FROM checkpoints GROUP BY source) WHERE received = verdicts`), "9 events, a broken one, 5 that were redriven, and a ticket")
	verified := tidemark(t, env, "verify")
	require.Equal(t, exitOK, verified.code, "%s%s", verified.stdout, verified.stderr)
	require.Equal(t, exitOK, pipeline.end(), "%s", &pipeline.stderr)
}

// poison writes what some producers sent from a time on, a minute apart: good events, drifted ones, broken ones.
func (b *backends) poison(t *testing.T, at time.Time) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(b.kafka))
	require.NoError(t, err)
	defer client.Close()
	good := func(id string) string {
		return `{"type":"track","event":"Report Started","userId":"u1","messageId":"` + id + `","context":{"groupId":"acme"}}`
	}
	for i, value := range []string{good("1"), good("2"), good("3"), drifted, drifted, drifted, drifted, drifted, `{"type":"track",`} {
		r := &kgo.Record{Topic: "telemetry", Key: []byte("acme"), Value: []byte(value), Timestamp: at.Add(time.Duration(i) * time.Minute)}
		require.NoError(t, client.ProduceSync(t.Context(), r).FirstErr())
	}
	ticket := `{"ticket_id":"7","source":"desk","account_id":"acme","kind":"bogus","occurred_at":"` + at.Format(time.RFC3339) + `"}`
	require.NoError(t, client.ProduceSync(t.Context(), &kgo.Record{Topic: "tickets", Key: []byte("acme"), Value: []byte(ticket), Timestamp: at}).FirstErr())
}

// letter is the id of the dead letter of a telemetry record of acme's.
func (b *backends) letter(t *testing.T, offset int) string {
	t.Helper()
	var id string
	require.NoError(t, b.store.Open(t, devclickhouse.Reader).QueryRow(t.Context(),
		"SELECT concat(source, ':', toString(offset)) FROM dead_letters WHERE offset = ? AND source LIKE 'telemetry/%'", offset).Scan(&id))
	return id
}
