package doctor

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tidemark/internal/preflight"
	"tidemark/pipeline/lag"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func ptr[T any](v T) *T { return &v }

// metrics are a process's, with what the test adds.
func metrics(t *testing.T, more ...string) Samples {
	t.Helper()
	s, err := ParseSamples(strings.NewReader(strings.Join(append([]string{
		`tidemark_source_lag_records{topic="telemetry",partition="0"} 0`, `tidemark_source_stopped{topic="telemetry",partition="0"} 0`,
	}, more...), "\n") + "\n"))
	require.NoError(t, err)
	return s
}

// healthy are the facts of two partitions of which all is well.
func healthy(t *testing.T) *Facts {
	t.Helper()
	source := func(p int32) lag.Source {
		return lag.Source{
			Topic: "telemetry", Partition: p, TopicID: "id", Committed: ptr(int64(100)), End: 100, LagSeconds: ptr(0.0), Owner: "w", State: lag.OK,
		}
	}
	progress := func(s string) Source {
		return Source{Source: s, Watermark: noon.Add(-5 * time.Minute), ObservedAt: noon.Add(-time.Second), Instance: "w", Accounts: 3}
	}
	return &Facts{
		At: noon, Group: "g", Brokers: []string{"k:9092"}, Kept: map[string]float64{"telemetry": 31 * 86400}, Disorder: map[string]float64{"telemetry": 300},
		Lag: &lag.Report{
			MeasuredAt: noon, Group: lag.Group{Name: "g", State: "Stable", Members: 1}, Sources: []lag.Source{source(0), source(1)},
			Total: lag.Total{LagSeconds: ptr(0.0)},
		},
		Servers: []Server{{
			Addr: "ch:9000", DelayAt: 1000, ThrowAt: 3000, Parts: []Parts{{Table: "counters_all", Partition: "p", Count: 9, Bytes: 2048}},
			Disks: []Disk{{Name: "default", Free: 50 << 30, Total: 100 << 30}},
		}},
		Store: &Store{
			Sources:  []Source{progress("telemetry/0@id"), progress("telemetry/1@id")},
			Complete: []Complete{{"telemetry", noon.Add(-5 * time.Minute)}},
		},
		Processes: []Process{{URL: "http://w", Ready: true, Said: "ok", Seconds: 5, Before: metrics(t), After: metrics(t)}},
	}
}

// late makes partition 1 wait for so many seconds.
func late(f *Facts, seconds float64) *lag.Source {
	s := &f.Lag.Sources[1]
	s.End, s.LagRecords, s.LagSeconds = 812, 712, &seconds
	f.Lag.Total = lag.Total{LagRecords: 712, LagSeconds: &seconds}
	return s
}

// raw is where the group stands that reads two raw topics.
func raw() *lag.Report {
	return &lag.Report{
		Group: lag.Group{Name: "n", State: "Stable", Members: 2}, Sources: []lag.Source{{Topic: "desk", LagSeconds: ptr(0.0)}, {Topic: "helpdesk", LagSeconds: ptr(0.0)}},
	}
}

func TestNothingIsFoundOfAHealthySystem(t *testing.T) {
	t.Parallel()
	f := healthy(t)
	f.Raw = raw()
	require.Empty(t, Diagnose(f))
}

// TestDiagnose breaks one thing at a time, as it shows in all places at once: one cause is found, and what follows from it is told
// below it.
func TestDiagnose(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		broken func(t *testing.T, f *Facts)
		want   []string // severity cause
		says   []string // in the first finding
		leads  []string // what the first finding leads to
	}{
		"the reader's password is another one": {
			broken: func(_ *testing.T, f *Facts) {
				f.Servers[0] = Server{Addr: "ch:9000", Error: "code: 516, message: reader: Authentication failed"}
				f.Store, f.StoreError = nil, "read sources: code: 516, message: reader: Authentication failed"
				f.Processes[0].After = metrics(t, "tidemark_canary_last_freshness_seconds 70")
			},
			want: []string{"ticket reader-login-refused"}, says: []string{"refuses the login clickhouse.reader", "rows are written by another login", "password_file"},
			leads: []string{"events that http://w sends to itself cannot be read within a minute"},
		},
		"no normaliser runs": {
			broken: func(_ *testing.T, f *Facts) {
				f.Raw = raw()
				f.Raw.Group, f.Raw.Total = lag.Group{Name: "n", State: "Empty"}, lag.Total{LagRecords: 9, LagSeconds: ptr(90.0)}
			},
			want: []string{"page normaliser-gone"}, says: []string{"nobody is in the group n", "9 records wait, the oldest for 1m30s", "tidemark normalise"},
		},
		"the schema registry does not answer": {
			broken: func(t *testing.T, f *Facts) {
				f.Raw = raw()
				f.Raw.Sources[1].LagRecords, f.Raw.Sources[1].LagSeconds = 4, ptr(40.0)
				f.Processes = append(f.Processes, Process{URL: "http://n", Said: "helpdesk: ask the schema registry for schema 1: down", Seconds: 5,
					After: metrics(t, `tidemark_normalise_stalled{topic="desk"} 0`, `tidemark_normalise_stalled{topic="helpdesk"} 1`)})
			},
			want: []string{"page raw-topic-stalls"}, says: []string{"the raw topic helpdesk is not normalised", "http://n says: helpdesk: ask the schema registry", "4 records"},
			leads: []string{"http://n is not ready"},
		},
		"a raw topic is behind": {
			broken: func(_ *testing.T, f *Facts) {
				f.Raw = raw()
				f.Raw.Sources[0].LagRecords, f.Raw.Sources[0].LagSeconds = 70000, ptr(3600.0)
			},
			want: []string{"ticket raw-topic-behind"}, says: []string{"the raw topic desk is normalised late: the oldest record has waited for 1h0m0s"},
		},
		"a raw topic is not there": {
			broken: func(_ *testing.T, f *Facts) {
				f.Raw = raw()
				f.Raw.MissingTopics = []string{"crm"}
			},
			want: []string{"page raw-topic-stalls"}, says: []string{"the raw topic crm is not there", "correct normalise.topics"},
		},
		"Kafka is down": {
			func(t *testing.T, f *Facts) {
				t.Helper()
				f.Lag, f.KafkaError = nil, "connection refused"
				f.Setup = []preflight.Finding{{Level: preflight.Error, Subject: "kafka", Text: "k:9092 does not answer"}}
				f.Processes[0].After = metrics(t, `tidemark_commits_total{result="failed"} 3`, `tidemark_canary_last_freshness_seconds 90`)
			},
			[]string{"page kafka-does-not-answer"},
			[]string{"Kafka does not answer at k:9092", "connection refused", "tidemark check"},
			[]string{"events that http://w sends to itself", "Kafka takes no offset commits"},
		},
		"ClickHouse is down": {
			func(t *testing.T, f *Facts) {
				t.Helper()
				f.Servers[0] = Server{Addr: "ch:9000", Error: "connection refused"}
				f.Store, f.StoreError = nil, "connection refused"
				f.Setup = []preflight.Finding{{Level: preflight.Error, Subject: "clickhouse.reader", Text: "reader does not reach ch:9000"}}
				late(f, 100)
				f.Processes[0].After = metrics(t, `tidemark_inserts_total{result="retried"} 3`)
			},
			[]string{"page clickhouse-does-not-answer"},
			[]string{"ClickHouse does not answer at ch:9000", "nothing is lost"},
			[]string{"ClickHouse takes no rows", "1 partition of 2 behind"},
		},
		"the pipeline is gone": {
			func(t *testing.T, f *Facts) {
				t.Helper()
				late(f, 840)
				f.Lag.Group = lag.Group{Name: "g", State: "Empty"}
				for i := range f.Lag.Sources {
					f.Lag.Sources[i].State, f.Lag.Sources[i].Owner = lag.Unassigned, ""
				}
				for i := range f.Store.Sources {
					f.Store.Sources[i].ObservedAt, f.Store.Sources[i].Watermark = noon.Add(-14*time.Minute), noon.Add(-19*time.Minute)
				}
				f.Store.Complete[0].To = noon.Add(-19 * time.Minute)
				f.Setup = []preflight.Finding{{Level: preflight.Warning, Subject: "topic telemetry", Text: "few replicas", Fix: "add some"}}
				f.Processes = []Process{{URL: "http://w", Error: "connection refused"}}
			},
			[]string{"page pipeline-gone", "note set-up", "note not-seen"},
			[]string{"every account: 712 records wait, the oldest for 14m0s", "since 2026-03-01T11:46:00Z", "the last that wrote was w", "tidemark run", "pipeline-gone.md"},
			[]string{"windows of telemetry are complete up to 2026-03-01T11:41:00Z only"},
		},
		"no pipeline has run, and nothing waits": {
			func(_ *testing.T, f *Facts) { f.Lag.Group, f.Store.Complete = lag.Group{Name: "g", State: "Dead"}, nil },
			[]string{"ticket pipeline-gone"},
			[]string{"no record waits yet"}, nil,
		},
		"it would not start": {
			func(_ *testing.T, f *Facts) {
				f.Lag.Group = lag.Group{Name: "g", State: "Dead"}
				late(f, 5)
				f.Setup = []preflight.Finding{{Level: preflight.Error, Subject: "migrations", Text: "2 of 50 are missing", Fix: "run tidemark migrate"}}
			},
			[]string{"page set-up", "page pipeline-gone"},
			[]string{"migrations: 2 of 50 are missing", "run tidemark migrate"}, nil,
		},
		"an offset has expired": {
			func(t *testing.T, f *Facts) {
				t.Helper()
				s := late(f, 600)
				s.State, s.Problem, s.Start = lag.OutOfRange, "the log holds 300 to 812", 300
				f.Store.Sources[1].Watermark, f.Store.Sources[1].LagRecords = noon.Add(-time.Hour), 512
				f.Store.Complete[0].To = noon.Add(-time.Hour)
				f.Processes[0].Ready, f.Processes[0].Said = false, "stopped: telemetry/1@id: the committed offset 100 is outside the log"
				f.Processes[0].After = metrics(t, `tidemark_source_stopped{topic="telemetry",partition="1"} 1`)
			},
			[]string{"page partition-stopped"},
			[]string{
				"telemetry/1 needs a person", "3 accounts of telemetry/1", "since 2026-03-01T11:50:00Z", "the log holds 300 to 812", "the committed offset 100 is outside the log",
				"kafka-consumer-groups.sh --bootstrap-server k:9092 --group g --topic telemetry:1 --reset-offsets --to-earliest --execute",
				"tidemark verify --topic telemetry --partition 1",
			},
			[]string{"windows of telemetry are complete up to 2026-03-01T11:00:00Z only"},
		},
		"only the owner knows why it stopped": {
			func(t *testing.T, f *Facts) {
				t.Helper()
				late(f, 600)
				f.Processes[0].After = metrics(t, `tidemark_source_stopped{topic="telemetry",partition="1"} 1`)
			},
			[]string{"page partition-stopped"},
			[]string{"http://w says that it has stopped", `"When a source stops"`, "restart the worker w"}, nil,
		},
		"one partition is behind": {
			func(_ *testing.T, f *Facts) { late(f, 90) },
			[]string{"page partition-behind"},
			[]string{"telemetry/1: 712 records, the oldest for 1m30s, at w", "SELECT account_id, sum(events) FROM usage_minute", "since 2026-03-01T11:58:30Z"}, nil,
		},
		"it catches up": {
			func(t *testing.T, f *Facts) {
				t.Helper()
				late(f, 90)
				f.Processes[0].Before = metrics(t, `tidemark_source_lag_records{topic="telemetry",partition="1"} 1712`)
				f.Processes[0].After = metrics(t, `tidemark_source_lag_records{topic="telemetry",partition="1"} 712`)
			},
			[]string{"ticket partition-behind"},
			[]string{"the lag falls by 200 records a second: it is gone in 3.6s", "wait"}, nil,
		},
		"old events are imported": {
			func(t *testing.T, f *Facts) {
				t.Helper()
				late(f, 90)
				f.Processes[0].After = metrics(t, `tidemark_rows_loaded_on_demand_total 50000`)
			},
			[]string{"ticket windows-loaded-on-demand"},
			[]string{"http://w loads 10000 windows a second again", "pipeline.max_cells"},
			[]string{"1 partition of 2 behind"},
		},
		"nobody owns a partition": {
			func(_ *testing.T, f *Facts) {
				s := late(f, 90)
				s.State, s.Owner = lag.Unassigned, ""
				f.Lag.Group.State = "PreparingRebalance"
			},
			[]string{"page partition-unowned"},
			[]string{"nobody owns 1 partition of 2", "the group is PreparingRebalance and has 1 member"}, nil,
		},
		"a rebalance of the moment": {
			func(_ *testing.T, f *Facts) { s := late(f, 2); s.State, s.Owner = lag.Unassigned, "" },
			[]string{"note partition-unowned"}, nil, nil,
		},
		"records will be deleted unread": {
			func(_ *testing.T, f *Facts) { f.Kept["telemetry"] = 7200; late(f, 6000) },
			[]string{"page records-expire-unread", "page partition-behind"},
			[]string{"Kafka will delete unread records of telemetry/1 in 20m0s", "--add-config retention.ms=14400000"}, nil,
		},
		"the disk is full": {
			func(t *testing.T, f *Facts) {
				t.Helper()
				f.Servers[0].Disks[0].Free = 1 << 30
				f.Servers[0].Errors = []ServerError{{Name: "NOT_ENOUGH_SPACE", Count: 4, LastAt: noon, Message: "Cannot reserve"}}
				f.Processes[0].After = metrics(t, `tidemark_inserts_total{result="retried"} 3`)
				late(f, 90)
			},
			[]string{"page clickhouse-disk-full"},
			[]string{"1.0 % left: 1.0 GB of 100.0 GB", "counters_all, partition p: 2.0 KB in 9 parts", "tidemark rebuild list"},
			[]string{"ClickHouse takes no rows", "1 partition of 2 behind", "met errors within the last hour"},
		},
		"the disk will be full": {
			func(_ *testing.T, f *Facts) { f.Servers[0].Disks[0].Free = 6 << 30 },
			[]string{"ticket clickhouse-disk-full"}, nil, nil,
		},
		"merges do not keep up": {
			func(t *testing.T, f *Facts) {
				t.Helper()
				f.Servers[0].Parts[0].Count, f.Servers[0].Merges, f.Servers[0].LongestMerge, f.Servers[0].Delayed = 3000, 2, 1200, 4
				f.Processes[0].After = metrics(t, `tidemark_inserts_total{result="retried"} 3`)
			},
			[]string{"page clickhouse-too-many-parts"},
			[]string{"partition p of counters_all at ch:9000 has 3000 parts", "2 merges run, the longest for 20m0s; 4 inserts wait", "refused from 3000"},
			[]string{"ClickHouse takes no rows"},
		},
		"replicas lost Keeper": {
			func(_ *testing.T, f *Facts) { f.Servers[0].ReadOnly = []string{"counters_all"} },
			[]string{"page clickhouse-read-only"},
			[]string{"tables: counters_all"}, nil,
		},
		"inserts are refused, and nobody knows why": {
			func(t *testing.T, f *Facts) {
				t.Helper()
				f.Processes[0].After = metrics(t, `tidemark_inserts_total{result="retried"} 3`)
			},
			[]string{"page clickhouse-refuses-inserts"},
			[]string{"3 refused and none taken while we looked", `"flush failed" says why`, "since 2026-03-01T11:59:59Z"}, nil,
		},
		"one insert was repeated": {
			func(t *testing.T, f *Facts) {
				t.Helper()
				f.Processes[0].After = metrics(t, `tidemark_inserts_total{result="retried"} 1`, `tidemark_inserts_total{result="ok"} 9`)
			},
			nil, nil, nil,
		},
		"flushes are slow": {
			func(t *testing.T, f *Facts) {
				t.Helper()
				f.Servers[0].Merges = 3
				f.Processes[0].After = metrics(t, "# TYPE tidemark_flush_duration_seconds histogram",
					`tidemark_flush_duration_seconds_bucket{le="+Inf"} 2`, `tidemark_flush_duration_seconds_sum 9`, `tidemark_flush_duration_seconds_count 2`)
			},
			[]string{"ticket flushes-slow"},
			[]string{"flushes of http://w take 4.5s", "ch:9000: 3 merges"}, nil,
		},
		"checkpoints do not add up": {
			func(_ *testing.T, f *Facts) {
				f.Store.Violations = []Violation{{"telemetry/1@id", 40, 90, "more records than offsets", noon.Add(-time.Hour)}}
			},
			[]string{"page records-unaccounted"},
			[]string{"telemetry/1@id, offsets 40 to 90: more records than offsets", "tidemark verify --topic telemetry --partition 1 --from 40", "since 2026-03-01T11:00:00Z"}, nil,
		},
		"a producer sends another format": {
			func(_ *testing.T, f *Facts) {
				f.Store.DeadLetters = []DeadLetters{
					{Topic: "telemetry", Reason: "malformed", Records: 90, Received: 1000, First: noon.Add(-20 * time.Minute), Source: "telemetry/0@id", Offset: 77, Detail: "no event"},
					{Topic: "telemetry", Reason: "no_account", Records: 10, Received: 1000, First: noon.Add(-30 * time.Minute), Source: "telemetry/0@id", Offset: 78},
					{Topic: "tickets", Reason: "malformed", Records: 2, Received: 4, First: noon, Source: "tickets/0@id", Offset: 1},
				}
			},
			[]string{"ticket dead-letters", "note dead-letters"},
			[]string{"100 records of telemetry of the last hour could not be read, 10 %", "malformed: 90 records, last telemetry/0@id at offset 77: no event", "since 2026-03-01T11:30:00Z"}, nil,
		},
		"a receiver of alerts is gone": {
			func(_ *testing.T, f *Facts) {
				f.Store.Targets = []Target{{Name: "crm", Waiting: 3, Oldest: ptr(noon.Add(-time.Hour)), Dead: 1, Disabled: true, Reason: "HTTP 410"}, {Name: "chat", Waiting: 1, Oldest: ptr(noon)}}
			},
			[]string{"ticket alerts-undelivered"},
			[]string{"alerts do not reach crm", "3 wait, 1 were given up", "it said that it is gone: HTTP 410", "tidemark triggers send-test crm", "since 2026-03-01T11:00:00Z"}, nil,
		},
		"somebody guesses passwords": {
			func(_ *testing.T, f *Facts) {
				f.Servers[0].Errors = []ServerError{{Name: authenticationFailed, Count: 400, LastAt: noon, Message: "reader: Authentication failed"}}
			},
			[]string{"note failed-logins"},
			[]string{"AUTHENTICATION_FAILED, 400 times since its start, last at 12:00:00"}, nil,
		},
		"the reader may not look": {
			func(_ *testing.T, f *Facts) { f.Servers[0].Unknown = []string{"system.parts"} },
			[]string{"note not-seen"},
			[]string{"GRANT SELECT ON system.parts TO"}, nil,
		},
		"a silent producer's last event is old, and its owner does not write": {
			func(_ *testing.T, f *Facts) {
				f.Store.Sources[0].ObservedAt, f.Store.Sources[0].Watermark = noon.Add(-time.Hour), noon.Add(-2*time.Hour)
				f.Store.Complete[0].To = noon.Add(-70 * time.Minute)
			},
			[]string{"ticket watermark-stands"},
			[]string{"telemetry/0 has not been looked at for 1h0m0s"}, nil,
		},
		"a process cannot reach its ClickHouse": {
			func(_ *testing.T, f *Facts) {
				f.Processes[0].Ready, f.Processes[0].Said = false, "waiting for ClickHouse"
			},
			[]string{"ticket process-not-ready"},
			[]string{"http://w is not ready: waiting for ClickHouse"}, nil,
		},
		"ids in feature names": {
			func(t *testing.T, f *Facts) {
				t.Helper()
				f.Processes[0].After = metrics(t, `tidemark_features_over_limit_total 7`)
			},
			[]string{"note features-over-limit"}, nil, nil,
		},
		"a transaction is open": {
			func(_ *testing.T, f *Facts) { f.Lag.Sources[0].HeldBack = 12 },
			[]string{"note open-transaction"},
			[]string{"an open transaction holds back 12 records of telemetry/0"}, nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := healthy(t)
			tc.broken(t, f)
			found := Diagnose(f)
			var got []string
			for _, one := range found {
				got = append(got, string(one.Severity)+" "+string(one.Cause))
			}
			require.Equal(t, tc.want, got)
			if len(found) == 0 {
				return
			}
			for _, s := range tc.says {
				require.Contains(t, told(found[0]), s)
			}
			require.Len(t, found[0].Leads, len(tc.leads), "%q", found[0].Leads)
			for i, s := range tc.leads {
				require.Contains(t, found[0].Leads[i], s)
			}
			require.NotEmpty(t, found[0].Title)
			require.Equal(t, found[0].Severity != Note, Grave(found))
		})
	}
}

// told is all that a finding says.
func told(one Finding) string {
	parts := append([]string{one.Title, one.Affects, one.Runbook}, one.Evidence...)
	if one.Since != nil {
		parts = append(parts, "since "+one.Since.Format(time.RFC3339))
	}
	return strings.Join(append(parts, one.Do...), "\n")
}

func TestEveryCauseHasItsPlace(t *testing.T) {
	t.Parallel()
	place := map[Cause]int{}
	for i, c := range causes {
		place[c] = i
	}
	require.Len(t, place, len(causes))
	for c, of := range follows {
		for _, earlier := range of {
			require.Less(t, place[earlier], place[c], "%s follows from %s", c, earlier)
		}
	}
}

func TestWatermarksSayWhatHoldsThem(t *testing.T) {
	t.Parallel()
	f := healthy(t)
	f.Store.Sources[1].Watermark = noon.Add(-8 * time.Minute)
	f.Store.Complete[0].To = noon.Add(-8 * time.Minute)
	require.Equal(t, []Watermark{{
		Topic: "telemetry", To: noon.Add(-8 * time.Minute), Age: 480, Source: "telemetry/1",
		Why: "the newest event of telemetry/1 is of 2026-03-01T11:57:00Z, and pipeline.disorder is 5m0s",
	}}, Watermarks(f))
	f.Store.Sources[1].Watermark = noon.Add(-time.Hour)
	require.Equal(t, "telemetry/1 is silent, and so is complete up to 10m0s before it was looked at", Watermarks(f)[0].Why)
	late(f, 90)
	require.Equal(t, "telemetry/1 is behind: 712 records, the oldest for 1m30s", Watermarks(f)[0].Why)
	f.Store.Sources[1].Source = "telemetry/1@before" // of a topic that was created anew since: it holds nothing
	require.Equal(t, "telemetry/0", Watermarks(f)[0].Source)
}
