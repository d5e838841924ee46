package collect

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
)

// childBrokers makes the test binary run a collector, to be killed by a test.
const (
	childBrokers  = "TIDEMARK_COLLECT_TEST_BROKERS"
	childSession  = "TIDEMARK_COLLECT_TEST_SESSION_TIMEOUT"
	childInstance = "TIDEMARK_COLLECT_TEST_INSTANCE"
)

// runChild prints the collector's address and serves until SIGTERM.
func runChild(brokers string) int {
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer cancel()
	session, err := time.ParseDuration(os.Getenv(childSession))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	config := Config{
		Listen: "127.0.0.1:0", Brokers: strings.Split(brokers, ","), SessionTimeout: session, WriteTimeout: patience,
		Instance: os.Getenv(childInstance),
	}
	logs := zap.NewDevelopmentConfig()
	logs.Level.SetLevel(zap.WarnLevel)
	log, err := logs.Build()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	col, err := New(config, log, prometheus.NewRegistry())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println(col.Addr())
	if err := col.Run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}
