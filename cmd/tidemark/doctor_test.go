package main

import (
	"encoding/json"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/internal/doctor"
)

// examine runs tidemark doctor and returns what it found beside notes. Notes may be of other tests on the same ClickHouse.
func examine(t *testing.T, b *backends, args ...string) (code int, grave []doctor.Finding, report doctor.Report) {
	t.Helper()
	got := tidemark(t, b.env, append([]string{"doctor", "--json", "--pause", "10ms"}, args...)...)
	require.NoError(t, json.Unmarshal([]byte(got.stdout), &report), "%s%s", got.stdout, got.stderr)
	for _, one := range report.Findings {
		// The disk of the machine that tests run on is not the test's.
		if one.Severity != doctor.Note && one.Cause != doctor.DiskFull {
			grave = append(grave, one)
		}
	}
	return got.code, grave, report
}

// TestDoctor looks at a pipeline that runs, one that is gone, and one whose next records were deleted: each time it finds that, and
// nothing else.
func TestDoctor(t *testing.T) {
	t.Parallel()
	b := startBackends(t)
	b.migrate(t)
	start := func(variables ...string) (*command, string) {
		p := launch(t, b.with(append(variables, "TIDEMARK_CANARY_ENABLED=false", "TIDEMARK_KAFKA_INSTANCE_ID=me")...), "run")
		t.Cleanup(func() { p.end() })
		var address string
		require.Eventually(t, func() bool {
			if m := regexp.MustCompile(`"admin": "([^"]+)"`).FindStringSubmatch(p.stderr.String()); m != nil {
				address = m[1]
			}
			return address != ""
		}, 5*time.Minute, 20*time.Millisecond)
		return p, address
	}
	pipeline, address := start("TIDEMARK_KAFKA_SESSION_TIMEOUT=6s") // because the test waits for its end
	event := func(id string) string {
		return `{"type":"track","event":"A","userId":"u","messageId":"` + id + `","context":{"groupId":"acme"}}`
	}
	b.send(t, event("1"), event("2"))
	require.Eventually(t, func() bool {
		_, grave, report := examine(t, b, "--admin", address)
		return len(grave) == 0 && report.Facts.Lag.Total.LagRecords == 0 && report.Facts.Processes[0].Ready && report.Facts.Store != nil && len(report.Facts.Store.Sources) == 7
	}, 5*time.Minute, 200*time.Millisecond, "%s", &pipeline.stderr)

	var top outcome
	require.Eventually(t, func() bool { // it leaves the accounts out where they take seconds to read, and a short session may end when the machine stalls
		top = tidemark(t, b.env, "top", "--admin", address, "--interval", "10ms")
		return strings.Contains(top.stdout, "group tidemark: Stable, ") && strings.Contains(top.stdout, "events of the last 10 minutes: ")
	}, 5*time.Minute, 200*time.Millisecond, "%+v", &top)
	require.Equal(t, exitOK, top.code, top.stderr)
	require.Contains(t, top.stdout, "group tidemark: Stable, 1 member\n", "without a terminal it is one picture")
	require.Regexp(t, `(?m)^telemetry/\d .* me +ok$`, top.stdout)
	require.Contains(t, top.stdout, "events of the last 10 minutes: acme 2\n")

	require.Equal(t, exitOK, pipeline.end())
	oldest := time.Now().Add(-time.Minute) // or later
	b.send(t, event("3"), event("4"))
	var code int
	var grave []doctor.Finding
	require.Eventually(t, func() bool { // Kafka knows a static member until its session has run out
		var report doctor.Report
		code, grave, report = examine(t, b, "--admin", address)
		// The store says who was the last. On a busy machine doctor may not get an answer in time, and says that, too.
		return len(grave) == 1 && grave[0].Cause == doctor.PipelineGone && report.Facts.Store != nil && report.Facts.Lag.Total.LagSeconds != nil
	}, 5*time.Minute, 200*time.Millisecond, "%+v", &grave)
	require.Equal(t, exitFailure, code)
	require.Len(t, grave, 1)
	require.Equal(t, doctor.Page, grave[0].Severity)
	wait := regexp.MustCompile(`^every account: 2 records wait, the oldest for (\S+)$`).FindStringSubmatch(grave[0].Affects)
	require.NotNil(t, wait, grave[0].Affects)
	waited, err := time.ParseDuration(wait[1])
	require.NoError(t, err)
	require.GreaterOrEqual(t, waited, time.Minute)
	require.LessOrEqual(t, waited, time.Since(oldest)+time.Second, "rounded")
	require.NotNil(t, grave[0].Since)
	require.Contains(t, grave[0].Evidence, "the last that wrote was me")

	topic, partition := b.expire(t)
	_, address = start()
	require.Eventually(t, func() bool {
		var report doctor.Report
		code, grave, report = examine(t, b, "--admin", address)
		return len(grave) == 1 && report.Facts.Store != nil && slices.ContainsFunc(grave[0].Evidence, func(s string) bool { return strings.Contains(s, "outside the log") })
	}, 5*time.Minute, 200*time.Millisecond, "%+v", &grave)
	require.Equal(t, exitFailure, code)
	require.Len(t, grave, 1)
	require.Equal(t, doctor.PartitionStopped, grave[0].Cause)
	require.Equal(t, "1 account of "+topic+"/"+partition+", by the last 7 days; the others go on", grave[0].Affects)
	require.Contains(t, grave[0].Do, "kafka-consumer-groups.sh --bootstrap-server "+b.kafka+" --group tidemark --topic "+topic+":"+partition+" --reset-offsets --to-earliest --execute")
	require.Contains(t, grave[0].Do[len(grave[0].Do)-1], "tidemark verify --topic "+topic+" --partition "+partition)

	file := filepath.Join(t.TempDir(), "bundle.tar.gz")
	got := tidemark(t, b.env, "doctor", "--pause", "10ms", "--admin", address, "--bundle", file)
	require.Equal(t, exitFailure, got.code)
	require.Contains(t, got.stderr, "wrote "+file+"\n")
	require.Contains(t, got.stdout, "page    "+topic+"/"+partition+" needs a person")
	require.FileExists(t, file)

	got = tidemark(t, b.env, "doctor", "--pause", "10ms", "--bundle", filepath.Join(t.TempDir(), "none", "bundle.tar.gz"))
	require.Equal(t, exitUnable, got.code)
	require.Equal(t, exitUnable, tidemark(t, []string{"TIDEMARK_KAFKA_BROKERS=:"}, "doctor").code)
}

// expire deletes the records of the partition that has some, those that are not read yet among them, and returns which it is.
func (b *backends) expire(t *testing.T) (topic, partition string) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(b.kafka))
	require.NoError(t, err)
	defer client.Close()
	admin := kadm.NewClient(client)
	ends, err := admin.ListEndOffsets(t.Context(), "telemetry")
	require.NoError(t, err)
	for _, end := range ends["telemetry"] {
		if end.Offset == 0 {
			continue
		}
		partition = strconv.Itoa(int(end.Partition))
		deleted, err := admin.DeleteRecords(t.Context(), kadm.Offsets{"telemetry": {end.Partition: {Topic: "telemetry", Partition: end.Partition, At: end.Offset}}})
		require.NoError(t, err)
		require.NoError(t, deleted.Error())
	}
	require.NotEmpty(t, partition)
	return "telemetry", partition
}
