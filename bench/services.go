package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	driver "github.com/ClickHouse/clickhouse-go/v2"

	"tidemark/internal/devclickhouse"
	"tidemark/internal/devkafka"
	"tidemark/internal/realkafka"
	"tidemark/sinks/clickhouse"
	"tidemark/sinks/clickhouse/migrate"
)

// engineArg makes this program the ClickHouse engine's process.
const engineArg = "clickhouse-engine"

// services are the servers that the pipeline works with.
type services struct {
	brokers []string
	kafka   string // which broker it is
	kafkaID int    // process id; 0: in this process
	server  *devclickhouse.Server
	stop    []func() error
}

// startServices starts Apache Kafka, or the embedded one where Java or Maven is missing, and the embedded ClickHouse.
func startServices(ctx context.Context, dir, self string, notes io.Writer) (*services, error) {
	s := &services{}
	cluster, err := realkafka.Start(ctx, realkafka.Options{Dir: filepath.Join(dir, "kafka")})
	var missing *realkafka.MissingToolError
	switch {
	case err == nil:
		s.brokers, s.kafka = cluster.Brokers(), "Apache Kafka, one broker"
		s.stop = append(s.stop, func() error { cluster.Stop(); return nil })
		s.kafkaID = cluster.PIDs()[0]
	case errors.As(err, &missing):
		fmt.Fprintf(notes, "NOTE: %v\nNOTE: the embedded Kafka stands in, inside this process: these figures do not compare with Apache Kafka's.\n", missing)
		broker, err := devkafka.Start(ctx, devkafka.Options{})
		if err != nil {
			return nil, err
		}
		s.brokers, s.kafka = broker.Addrs(), "embedded (kfake), in the measured process"
		s.stop = append(s.stop, broker.Close)
	default:
		return nil, err
	}
	s.server, err = devclickhouse.Start(ctx, devclickhouse.Options{Dir: filepath.Join(dir, "clickhouse"), EngineCommand: []string{self, engineArg}})
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	s.stop = append(s.stop, func() error { // the data is thrown away
		s.server.Kill()
		<-s.server.Done()
		return nil
	})
	return s, nil
}

func (s *services) close() error {
	var err error
	for _, stop := range s.stop {
		err = errors.Join(err, stop())
	}
	return err
}

// database is a fresh database with Tidemark's tables.
type database struct {
	name  string
	admin *sql.DB // with the migrator's rights
	store *clickhouse.Client
}

// empty makes a database without tables.
func (s *services) empty(ctx context.Context, name string) (*database, error) {
	admin, err := driver.ParseDSN(s.server.DSN(devclickhouse.Migrator))
	if err != nil {
		return nil, err
	}
	outer := driver.OpenDB(admin)
	defer outer.Close() //nolint:errcheck // nothing is left to lose
	if _, err := outer.ExecContext(ctx, "CREATE DATABASE "+name); err != nil {
		return nil, fmt.Errorf("create database %s: %w", name, err)
	}
	admin.Auth.Database = name
	d := &database{name: name, admin: driver.OpenDB(admin)}
	writer, err := driver.ParseDSN(s.server.DSN(devclickhouse.Writer))
	if err != nil {
		return nil, errors.Join(err, d.admin.Close())
	}
	d.store, err = clickhouse.Open(clickhouse.Config{
		Addr: writer.Addr, Database: name, User: writer.Auth.Username, Password: writer.Auth.Password,
		DialTimeout: 5 * time.Second, ReadTimeout: time.Minute,
	})
	return d, err
}

// database makes a database with Tidemark's tables, whose views know the telemetry's topic.
func (s *services) database(ctx context.Context, name, telemetry string) (*database, error) {
	d, err := s.empty(ctx, name)
	if err != nil {
		return nil, err
	}
	o := migrate.DefaultOptions()
	o.Topics.Telemetry.Name = telemetry
	if err := migrate.Up(ctx, d.admin, o); err != nil {
		return nil, errors.Join(err, d.admin.Close(), d.store.Close())
	}
	return d, nil
}

// settle waits until ClickHouse merges nothing any more, which the next run would pay for, and closes the connections. The
// rows stay: files that are deleted by the thousand make a file system slow for minutes.
func (d *database) settle(ctx context.Context) error {
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	for idle := 0; idle < 5; idle++ {
		var merges uint64
		if err := d.admin.QueryRowContext(ctx, "SELECT count() FROM system.merges").Scan(&merges); err != nil {
			return errors.Join(fmt.Errorf("look for merges: %w", err), d.admin.Close(), d.store.Close())
		}
		if merges > 0 {
			idle = 0
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), d.admin.Close(), d.store.Close())
		case <-ticker.C:
		}
	}
	return errors.Join(d.admin.Close(), d.store.Close())
}
