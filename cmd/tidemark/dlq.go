package main

import (
	"errors"
	"fmt"
	"time"

	"tidemark/internal/config"
	"tidemark/pipeline/deadletters"
)

// dlqCmd has a field a subcommand, each in a file of its own.
type dlqCmd struct {
	Ls      dlqLsCmd      `cmd:"" help:"List the records that could not be counted, by what is wrong with them."`
	Show    dlqShowCmd    `cmd:"" help:"Show such records whole."`
	Redrive dlqRedriveCmd `cmd:"" help:"Send them again, changed if need be: each is counted once, in the window in which it happened."`
	Drop    dlqDropCmd    `cmd:"" help:"Settle those that are of no use."`
}

// dlqFilter are the flags that say which letters are meant.
type dlqFilter struct {
	IDs    []string `arg:"" optional:"" name:"id" help:"Letters, by topic/partition:offset of their records."`
	Reason []string `placeholder:"CODE" help:"Only these reasons, such as bad_time."`
	Topic  []string `placeholder:"NAME" help:"Only records of these topics."`
	Source string   `placeholder:"TOPIC/PARTITION" help:"Only records of this partition."`
	Since  string   `placeholder:"TIME" help:"Only what was found from then on: a time, or how long ago, such as 2h."`
	Until  string   `placeholder:"TIME" help:"Only what was found before."`
}

func (f *dlqFilter) filter(now time.Time) (*deadletters.Filter, error) {
	since, err := timeOrAgo("--since", f.Since, now)
	if err != nil {
		return nil, err
	}
	until, err := timeOrAgo("--until", f.Until, now)
	if err != nil {
		return nil, err
	}
	return &deadletters.Filter{IDs: f.IDs, Reasons: f.Reason, Topics: f.Topic, Source: f.Source, Since: since, Until: until}, nil
}

// timeOrAgo reads an RFC 3339 time, a day, or how long ago it was.
func timeOrAgo(flag, text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if ago, err := time.ParseDuration(text); err == nil {
		return now.Add(-ago), nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if at, err := time.Parse(layout, text); err == nil {
			return at, nil
		}
	}
	return time.Time{}, fmt.Errorf("%s %q is neither a time such as 2026-11-25T10:00:00Z, nor a day, nor how long ago, such as 2h", flag, text)
}

// dlqSelection is what redrive and drop work on. All has to be said in so many words.
type dlqSelection struct {
	dlqFilter
	All bool `help:"All there are."`
}

func (s *dlqSelection) chosen(now time.Time) (*deadletters.Filter, error) {
	f, err := s.filter(now)
	if err == nil && f.Empty() != s.All {
		err = errors.New("say which dead letters: ids, --reason, --topic, --source, --since, --until, or --all")
	}
	return f, err
}

func deadLetterBox(cfg *config.Config) (deadletters.Box, error) {
	opts, err := kafkaOptions(&cfg.Kafka)
	return deadletters.Box{Kafka: opts, Topic: cfg.Kafka.Topics.DeadLetters}, err
}

// redriver is what settles dead letters.
func redriver(cfg *config.Config, by string) (*deadletters.Redrive, error) {
	box, err := deadLetterBox(cfg)
	return &deadletters.Redrive{Box: box, TransactionalID: cfg.Kafka.Group + "-dlq", By: by}, err
}
