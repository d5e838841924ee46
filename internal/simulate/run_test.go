package simulate

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/internal/recount"
)

// standInServer is the stand-in behind HTTP. It is not always well: some
// requests it refuses, and of some it loses the answer.
type standInServer struct {
	mu       sync.Mutex
	standIn  *standIn
	client   *kgo.Client
	requests int
	refused  map[int]int // by status
	sizes    []int       // of the batches taken
	onTaken  func()      // if set, is called with every batch
}

func serveStandIn(t *testing.T, c *kfake.Cluster) (*standInServer, string) {
	t.Helper()
	s := &standInServer{standIn: newStandIn(), client: newProducer(t, c), refused: map[int]int{}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) { s.serve(t, w, req) }))
	t.Cleanup(server.Close)
	return s, server.URL
}

func (s *standInServer) serve(t *testing.T, w http.ResponseWriter, req *http.Request) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	key, _, _ := req.BasicAuth()
	body, err := io.ReadAll(req.Body)
	var batch struct{ Batch []json.RawMessage }
	if err != nil || key != "key" || json.Unmarshal(body, &batch) != nil {
		http.Error(w, "bad request", http.StatusBadRequest)
		return
	}
	s.requests++
	switch s.requests % 9 {
	case 3:
		w.Header().Set("Retry-After", "0")
		s.refuse(w, http.StatusServiceUnavailable)
		return
	case 6:
		s.refuse(w, http.StatusTooManyRequests)
		return
	}
	s.sizes = append(s.sizes, len(body))
	if s.onTaken != nil {
		s.onTaken()
	}
	var records []*kgo.Record
	for _, m := range batch.Batch {
		records = append(records, s.standIn.collect(t, m)...)
	}
	if err := s.client.ProduceSync(req.Context(), records...).FirstErr(); err != nil {
		s.refuse(w, http.StatusServiceUnavailable)
		return
	}
	if s.requests%9 == 0 {
		s.refuse(w, http.StatusBadGateway) // though it was written
	}
}

func (s *standInServer) refuse(w http.ResponseWriter, status int) {
	s.refused[status]++
	http.Error(w, "not now", status)
}

func runOptions(t *testing.T, c *kfake.Cluster, url string) Options {
	t.Helper()
	opts := childConfig{URL: url, StateDir: t.TempDir(), Brokers: c.ListenAddrs()}.options()
	opts.Duration = 2 * time.Second
	return opts
}

// requireTruth checks the truth against a recount. Only repeats may be more
// than it says: of a request that was sent again, nobody knows.
func requireTruth(t *testing.T, c *kfake.Cluster, truth *Truth) *recount.Result {
	t.Helper()
	result, err := recount.Count(testContext(t), recount.Options{Brokers: c.ListenAddrs(), Telemetry: topics.Telemetry,
		Tickets: topics.Tickets, Accounts: topics.Accounts, Signals: topics.Signals})
	require.NoError(t, err)
	require.Empty(t, recount.Diff(truth.Cells(), cellsOf(result)))
	requireFigures(t, truth, result)
	dead, duplicates := map[string]uint64{}, uint64(0)
	for _, reason := range result.DeadLetters {
		dead[reason]++
	}
	for reason, n := range dead {
		require.GreaterOrEqual(t, n, truth.DeadLetters[reason], reason)
		require.LessOrEqual(t, n, truth.DeadLetters[reason]+truth.Repeated[reason], reason)
	}
	require.Len(t, dead, len(truth.DeadLetters))
	for _, v := range result.Sources {
		duplicates += v.Duplicate
	}
	require.GreaterOrEqual(t, duplicates, truth.Duplicates)
	return result
}

func TestRunDeliversAllOfTheTruth(t *testing.T) {
	c := newCluster(t)
	server, url := serveStandIn(t, c)
	opts := runOptions(t, c, url)
	opts.Duration = 0
	ctx, stop := context.WithCancel(testContext(t))
	defer stop()
	var last Progress
	opts.OnProgress = func(p Progress) { // until it tells of live traffic
		if last = p; !p.Backfilling && p.Past > 0.999 {
			stop()
		}
	}
	truth, err := Run(ctx, opts)
	require.NoError(t, err)
	requireTruth(t, c, truth)
	require.Empty(t, truth.Repeated)
	require.NotZero(t, server.refused[http.StatusServiceUnavailable])
	require.NotZero(t, server.refused[http.StatusTooManyRequests])
	require.NotZero(t, server.refused[http.StatusBadGateway])
	require.LessOrEqual(t, maxOf(server.sizes), 500<<10)
	require.False(t, last.Backfilling)
	require.NotZero(t, last.Sent)
	require.InDelta(t, 1, last.Past, 0.001)
	require.LessOrEqual(t, last.Acked, last.Sent)

	text, err := os.ReadFile(filepath.Join(opts.StateDir, truthFile))
	require.NoError(t, err)
	var written truthJSON
	require.NoError(t, json.Unmarshal(text, &written))
	require.Equal(t, truth.Messages, written.Messages)
	require.Equal(t, truth.DeadLetters, written.DeadLetters)
	require.Len(t, written.Accounts, 10)
}

func maxOf(list []int) int {
	most := 0
	for _, n := range list {
		most = max(most, n)
	}
	return most
}

func TestASecondRunContinuesTheFirst(t *testing.T) {
	c := newCluster(t)
	server, url := serveStandIn(t, c)
	opts := runOptions(t, c, url)
	opts.History = day(7) // so that no weekend, with its few messages, is all of it

	// The first is stopped in the middle of the past.
	ctx, stop := context.WithCancel(testContext(t))
	server.onTaken = func() {
		if len(server.sizes) == 3 {
			stop()
		}
	}
	opts.Rate = 200
	first, err := Run(ctx, opts)
	require.NoError(t, err)
	s, err := openState(opts, time.Now())
	require.NoError(t, err)
	require.Empty(t, s.Live)

	for run := range 2 { // the second finishes it, the third goes on live
		opts.Duration = time.Second
		next, err := Run(testContext(t), opts)
		require.NoError(t, err)
		require.Greater(t, next.Messages, first.Messages)
		first = next
		requireTruth(t, c, next)
		s, err := openState(opts, time.Now())
		require.NoError(t, err)
		require.Len(t, s.Live, run+1)
		require.Equal(t, s.Acked, s.Reserved)
		require.Equal(t, next.Messages, s.Acked)
	}

	opts.Seed++
	_, err = Run(testContext(t), opts)
	require.ErrorContains(t, err, "holds a run with seed 3, 10 accounts and a history of 168h0m0s, not seed 4")
}

func TestARefusedBatchIsAnError(t *testing.T) {
	c := newCluster(t)
	_, url := serveStandIn(t, c)
	opts := runOptions(t, c, url)
	opts.WriteKey = "wrong"
	_, err := Run(testContext(t), opts)
	require.ErrorContains(t, err, "the collector answered 400 Bad Request: bad request")
}

func TestOptionsSayWhatIsMissing(t *testing.T) {
	whole := Options{CollectorURL: "http://x", Brokers: []string{"x"}, Topics: topics, Accounts: 1, Rate: 1, StateDir: t.TempDir()}
	for want, spoil := range map[string]func(*Options){
		"the collector's URL is missing":     func(o *Options) { o.CollectorURL = "" },
		"brokers are missing":                func(o *Options) { o.Brokers = nil },
		"a topic has no name":                func(o *Options) { o.Topics.Tickets = "" },
		"accounts is 0":                      func(o *Options) { o.Accounts = 0 },
		"rate is 0":                          func(o *Options) { o.Rate = 0 },
		"history is -1h0m0s":                 func(o *Options) { o.History = -time.Hour },
		"the state directory is missing":     func(o *Options) { o.StateDir = "" },
		"history is 4800h0m0s: it must be b": func(o *Options) { o.History = 200 * 24 * time.Hour },
	} {
		opts := whole
		spoil(&opts)
		_, err := Run(t.Context(), opts)
		require.ErrorContains(t, err, want)
	}
}

// childOptions is the variable by which a test binary is told to be a simulator.
const childOptions = "SIMULATE_CHILD_OPTIONS"

// childConfig is what differs between children.
type childConfig struct {
	URL, StateDir string
	Brokers       []string
}

func (c childConfig) options() Options {
	return Options{CollectorURL: c.URL, WriteKey: "key", Brokers: c.Brokers, Topics: topics, Seed: 3, Accounts: 10,
		Rate: 800, History: day(2), StateDir: c.StateDir}
}

func runChild(text string) int {
	var c childConfig
	err := json.Unmarshal([]byte(text), &c)
	if err == nil {
		_, err = Run(context.Background(), c.options())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// TestKilledAtAnyTime kills the simulator in the past and in live traffic: what
// it may have sent is sent again, and the truth stays exact.
func TestKilledAtAnyTime(t *testing.T) {
	c := newCluster(t)
	_, url := serveStandIn(t, c)
	opts := runOptions(t, c, url)
	opts.Duration = 0
	kill := func(when func(*state) bool) {
		t.Helper()
		text, err := json.Marshal(childConfig{opts.CollectorURL, opts.StateDir, opts.Brokers})
		require.NoError(t, err)
		self, err := os.Executable()
		require.NoError(t, err)
		child := exec.Command(self)
		child.Env = append(os.Environ(), childOptions+"="+string(text))
		child.Stderr = os.Stderr
		require.NoError(t, child.Start())
		defer func() {
			require.NoError(t, child.Process.Kill())
			_ = child.Wait()
		}()
		require.Eventually(t, func() bool {
			s, err := openState(opts, time.Now())
			return err == nil && s.Acked > 0 && when(s)
		}, 3*time.Minute, 5*time.Millisecond)
	}
	acked := uint64(0)
	more := func(s *state) bool { return s.Acked > acked+300 }
	kill(more)
	for range 3 {
		s, err := openState(opts, time.Now())
		require.NoError(t, err)
		acked = s.Acked
		kill(func(s *state) bool { return more(s) && len(s.Live) > 0 })
	}
	opts.Duration = time.Second
	truth, err := Run(testContext(t), opts)
	require.NoError(t, err)
	requireTruth(t, c, truth)
	s, err := openState(opts, time.Now())
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(s.Live), 2)
}
