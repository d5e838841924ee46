package doctor

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/twmb/franz-go/pkg/kadm"

	"tidemark/internal/preflight"
	"tidemark/pipeline/lag"
)

// Gatherer knows whom to ask. What does not answer becomes a fact too, so that gathering never fails.
type Gatherer struct {
	Brokers  []string // for the commands that are advised
	Meter    *lag.Meter
	Raw      *lag.Meter                                // of the group that reads raw topics; nil: none is declared
	Setup    func(context.Context) []preflight.Finding // what tidemark check looks at; nil: nothing
	Servers  []Conn                                    // ClickHouse's, each by itself, as the reader
	Store    driver.Conn                               // ClickHouse as the reader
	Admin    []string                                  // base URLs of processes' admin ports
	Disorder map[string]time.Duration                  // of each topic
	Hot      bool                                      // look for the accounts with the most events, which reads many rows
	Pause    time.Duration                             // between two readings of a process's metrics
}

// Conn is a connection to one server.
type Conn struct {
	Addr string
	driver.Conn
}

const (
	// kafkaTimeout bounds the questions to Kafka, and serverTimeout those to one server of ClickHouse.
	kafkaTimeout  = 30 * time.Second
	serverTimeout = 15 * time.Second
	// askTimeout bounds one question to a process, and maxAnswer its answer.
	askTimeout = 5 * time.Second
	maxAnswer  = 16 << 20
)

// Gather asks everybody at the same time.
func (g *Gatherer) Gather(ctx context.Context) *Facts {
	f := &Facts{
		Group: g.Meter.Group, Brokers: g.Brokers, Kept: map[string]float64{}, Disorder: map[string]float64{},
		Servers: make([]Server, len(g.Servers)), Processes: make([]Process, len(g.Admin)),
	}
	for topic, d := range g.Disorder {
		f.Disorder[topic] = d.Seconds()
	}
	var asked sync.WaitGroup
	asked.Go(func() { g.kafka(ctx, f) })
	asked.Go(func() { f.readStore(ctx, g.Store, g.Hot) })
	if g.Setup != nil {
		asked.Go(func() {
			for _, found := range g.Setup(ctx) {
				if found.Level != preflight.OK {
					f.Setup = append(f.Setup, found)
				}
			}
		})
	}
	for i, s := range g.Servers {
		asked.Go(func() { f.Servers[i] = askServer(ctx, s) })
	}
	for i, url := range g.Admin {
		asked.Go(func() { f.Processes[i] = askProcess(ctx, url, g.Pause) })
	}
	asked.Wait()
	f.At = time.Now().UTC()
	return f
}

// kafka measures the group, and how long what it has not read yet will be kept.
func (g *Gatherer) kafka(ctx context.Context, f *Facts) {
	ctx, cancel := context.WithTimeout(ctx, kafkaTimeout)
	defer cancel()
	err := g.Meter.Client.Ping(ctx) // which tells why, where a request tries until ctx ends
	if err == nil {
		f.Lag, err = g.Meter.Measure(ctx)
	}
	if err == nil && g.Raw != nil {
		f.Raw, err = g.Raw.Measure(ctx)
	}
	if err != nil {
		f.Lag, f.KafkaError = nil, err.Error()
		return
	}
	configs, err := kadm.NewClient(g.Meter.Client).DescribeTopicConfigs(ctx, g.Meter.Topics...)
	if err != nil {
		return // the right to read topics' configurations is not one that Tidemark needs
	}
	for _, topic := range configs {
		values := map[string]string{}
		for _, c := range topic.Configs {
			values[c.Key] = c.MaybeValue()
		}
		ms, err := strconv.ParseInt(values["retention.ms"], 10, 64)
		if err == nil && ms >= 0 && strings.Contains(values["cleanup.policy"], "delete") {
			f.Kept[topic.Name] = float64(ms) / 1000
		}
	}
}

// askProcess reads a process's health, and its metrics twice.
func askProcess(ctx context.Context, url string, pause time.Duration) Process {
	p := Process{URL: url}
	status, said, err := get(ctx, url+"/readyz")
	if err != nil {
		p.Error = err.Error()
		return p
	}
	p.Ready, p.Said = status == http.StatusOK, string(bytes.TrimSpace(said))
	begin := time.Now()
	if p.Before, err = askMetrics(ctx, url); err == nil {
		select {
		case <-time.After(pause):
			p.After, err = askMetrics(ctx, url)
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	if err != nil {
		p.Error = err.Error()
	}
	p.Seconds = time.Since(begin).Seconds()
	return p
}

func askMetrics(ctx context.Context, url string) (Samples, error) {
	status, text, err := get(ctx, url+"/metrics")
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("%s/metrics answers %d: is it the admin port?", url, status)
	}
	if err != nil {
		return nil, err
	}
	return ParseSamples(bytes.NewReader(text))
}

func get(ctx context.Context, url string) (status int, body []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	body, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	return resp.StatusCode, body, err
}
