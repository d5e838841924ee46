package simulate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/segmentio/kafka-go"
	"go.uber.org/zap"
)

const (
	// requestLimit bounds one attempt: a collector that takes longer is stuck.
	requestLimit = 30 * time.Second
	firstWait    = 100 * time.Millisecond
	longestWait  = 5 * time.Second
	// bodyLimit stays below the collector's 500 KB.
	bodyLimit = 400 << 10
)

// sender delivers messages, however often it has to try.
type sender struct {
	url, writeKey string
	client        *http.Client
	topics        Topics
	writer        *kafka.Writer
	log           *zap.Logger
	// repeated is told of messages that may be in Kafka twice.
	repeated func([]Message)
}

func newSender(o Options, repeated func([]Message)) *sender {
	transport := o.Transport
	if transport == nil {
		transport = &kafka.Transport{}
	}
	return &sender{
		url: o.CollectorURL, writeKey: o.WriteKey, topics: o.Topics, log: o.Logger, repeated: repeated,
		client: &http.Client{Timeout: requestLimit, Transport: &http.Transport{MaxIdleConnsPerHost: inFlight}},
		writer: &kafka.Writer{
			Addr: kafka.TCP(o.Brokers...), Balancer: kafka.Murmur2Balancer{}, RequiredAcks: kafka.RequireAll,
			BatchTimeout: 5 * time.Millisecond, MaxAttempts: 1, Transport: transport,
		},
	}
}

func (s *sender) close() error {
	s.client.CloseIdleConnections()
	err := s.writer.Close()
	if t, ok := s.writer.Transport.(*kafka.Transport); ok {
		t.CloseIdleConnections()
	}
	return err
}

// send returns when all of the messages have arrived, or on an error that will
// not pass.
func (s *sender) send(ctx context.Context, messages []Message, path string) error {
	var direct []Message
	var batch []json.RawMessage
	size := 0
	for _, m := range messages {
		if m.Via != HTTP {
			direct = append(direct, m)
			continue
		}
		if size+len(m.Body) > bodyLimit {
			if err := s.post(ctx, path, batch); err != nil {
				return err
			}
			batch, size = nil, 0
		}
		batch = append(batch, m.Body)
		size += len(m.Body) + 1
	}
	if len(batch) > 0 {
		if err := s.post(ctx, path, batch); err != nil {
			return err
		}
	}
	if len(direct) > 0 {
		return s.write(ctx, direct)
	}
	return nil
}

func (s *sender) topic(v Via) string {
	switch v {
	case Tickets:
		return s.topics.Tickets
	case Accounts:
		return s.topics.Accounts
	case Signals:
		return s.topics.Signals
	default:
		return s.topics.Telemetry
	}
}

// busyError is an answer that asks to try again, not before after (0: as you
// like).
type busyError struct {
	after time.Duration
	err   error
}

func (e *busyError) Error() string { return e.err.Error() }
func (e *busyError) Unwrap() error { return e.err }

// retry calls try until it succeeds, fails for good, or ctx ends.
func (s *sender) retry(ctx context.Context, what string, try func() error) error {
	wait := firstWait
	for {
		err := try()
		var busy *busyError
		if err == nil || !errors.As(err, &busy) {
			return err
		}
		pause := max(wait, busy.after)
		wait = min(2*wait, longestWait)
		s.log.Warn("will try again", zap.String("to", what), zap.Duration("after", pause), zap.Error(err))
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w (last: %w)", what, context.Cause(ctx), err)
		case <-time.After(pause):
		}
	}
}

// post sends a batch to the collector.
func (s *sender) post(ctx context.Context, path string, batch []json.RawMessage) error {
	body := encode(struct {
		Batch []json.RawMessage `json:"batch"`
	}{batch})
	return s.retry(ctx, "send events to the collector", func() error {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+path, bytes.NewReader(body))
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", "application/json")
		req.SetBasicAuth(s.writeKey, "")
		res, err := s.client.Do(req)
		if err != nil {
			return &busyError{err: err}
		}
		answer, _ := io.ReadAll(io.LimitReader(res.Body, 1<<10))
		_ = res.Body.Close()
		return judge(res, answer)
	})
}

// judge says whether an answer is good, passing trouble, or an error.
func judge(res *http.Response, answer []byte) error {
	if res.StatusCode == http.StatusOK {
		return nil
	}
	err := fmt.Errorf("the collector answered %s: %s", res.Status, bytes.TrimSpace(answer))
	if res.StatusCode != http.StatusTooManyRequests && res.StatusCode < 500 {
		return fmt.Errorf("%w (it refuses what the simulator takes for a good batch)", err)
	}
	busy := &busyError{err: err}
	if seconds, bad := strconv.Atoi(res.Header.Get("Retry-After")); bad == nil {
		busy.after = time.Duration(seconds) * time.Second
	} else if at, bad := http.ParseTime(res.Header.Get("Retry-After")); bad == nil {
		busy.after = time.Until(at)
	}
	return busy
}

// write produces messages to Kafka; those that failed are tried again, the
// others not.
func (s *sender) write(ctx context.Context, messages []Message) error {
	return s.retry(ctx, "write to Kafka", func() error {
		records := make([]kafka.Message, len(messages))
		for i, m := range messages {
			records[i] = kafka.Message{Topic: s.topic(m.Via), Key: []byte(m.Key), Value: m.Body}
		}
		err := s.writer.WriteMessages(ctx, records...)
		if err == nil {
			return nil
		}
		var each kafka.WriteErrors
		if errors.As(err, &each) && len(each) == len(messages) {
			var failed []Message
			for i, e := range each {
				if e != nil {
					failed = append(failed, messages[i])
				}
			}
			messages = failed
		}
		s.repeated(messages) // a failure says nothing of whether it was written
		return &busyError{err: err}
	})
}
