// Command tidemark streams product telemetry and support tickets from Kafka into ClickHouse rollups.
//
// Each subcommand is one file with a struct of its flags and a method Run(context.Context, *globals) error, and one
// line in cli. It holds no logic beyond wiring packages together.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/alecthomas/kong"
)

// cli is the command line: a field a subcommand.
type cli struct {
	Globals globals `embed:""`

	Demo      demoCmd      `cmd:"" help:"Run everything on this machine, with a simulated customer base."`
	Run       runCmd       `cmd:"" help:"Run the pipeline: from Kafka to ClickHouse."`
	Collect   collectCmd   `cmd:"" help:"Run the collector: from analytics SDKs to Kafka."`
	Normalise normaliseCmd `cmd:"" help:"Normalise topics of other systems: from Avro, Debezium and others to Tidemark's own topics."`
	Migrate   migrateCmd   `cmd:"" help:"Create what is missing: topics, tables and views."`
	Simulate  simulateCmd  `cmd:"" help:"Play a simulated customer base against a running collector and Kafka."`
	Import    importCmd    `cmd:"" help:"Import what other systems know: accounts from files."`
	Ready     readyCmd     `cmd:"" help:"Ask the process on this host whether it is ready: for health checks."`
	Check     checkCmd     `cmd:"" help:"Check the configuration, and say how to fix what is wrong."`
	Lag       lagCmd       `cmd:"" help:"Show how far the pipeline is behind: partitions, owners, records by result."`
	Doctor    doctorCmd    `cmd:"" help:"Say what is wrong with a running Tidemark, since when, whom it affects, and what to do."`
	Dlq       dlqCmd       `cmd:"" help:"Dead letters: list and show the records that could not be counted, redrive and drop them."`
	Board     boardCmd     `cmd:"" help:"Serve the board: portfolio, accounts, alerts and lag in a browser."`
	Top       topCmd       `cmd:"" help:"Watch partitions, rates, lag, watermarks and ClickHouse in the terminal; q ends it."`
	Verify    verifyCmd    `cmd:"" help:"Compare the rows in ClickHouse with the log, by other code, while everything runs."`
	Forget    forgetCmd    `cmd:"" help:"Forget an account or a user, for good: rows, topics, and every replay."`
	Rebuild   rebuildCmd   `cmd:"" help:"Compute the rollups anew from the log, beside the live ones, and switch to them; or back."`
	Rewind    rewindCmd    `cmd:"" help:"Read again from where ClickHouse has counted to: after it was restored from a backup."`
	Catalogue catalogueCmd `cmd:"" help:"Work on the catalogue: its schema, what it changes, its tests."`
	Explain   explainCmd   `cmd:"" help:"Tell how a number in a view came about: formula, rows, account, events."`
	Triggers  triggersCmd  `cmd:"" help:"Rules over accounts: check, test and run them; alerts, silences, deliveries."`
	Dev       devCmd       `cmd:"" help:"Run the embedded Kafka or ClickHouse, for development."`
	Version   versionCmd   `cmd:"" help:"Print the version."`
}

// Exit codes, beside those that an error gives by an ExitCode method.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2
)

func main() {
	ctx, stop := signalContext(context.Background())
	code := run(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run executes one command line and returns the process's exit code.
func run(ctx context.Context, args, env []string, stdout, stderr io.Writer) int {
	var c cli
	exit := -1 // Set when kong itself answers, as to --help.
	parser, err := kong.New(&c,
		kong.Name("tidemark"),
		kong.Description("From product telemetry and support tickets in Kafka to exact per-account rollups in ClickHouse."),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.Writers(stdout, stderr),
		kong.Exit(func(code int) { exit = code }),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(&c.Globals),
	)
	if err != nil {
		return fail(stderr, err)
	}
	kctx, err := parser.Parse(args)
	if exit >= 0 {
		return exit
	}
	if err != nil {
		fail(stderr, fmt.Errorf("%w (see tidemark --help)", err))
		return exitUsage
	}
	c.Globals.stdout, c.Globals.stderr = stdout, stderr
	c.Globals.env = withoutFlags(parser.Model.Node, env)
	if err := kctx.Run(); err != nil {
		return fail(stderr, cutShort(ctx, err))
	}
	return exitOK
}

// cutShort returns why ctx ended if that is all that err says, and err otherwise.
func cutShort(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return context.Cause(ctx)
	}
	return err
}

// fail prints err, a line for each problem joined in it, and returns the exit code that stands for it.
func fail(stderr io.Writer, err error) int {
	for _, problem := range problems(err) {
		fmt.Fprintf(stderr, "tidemark: %v\n", problem)
	}
	var coder kong.ExitCoder
	if errors.As(err, &coder) {
		return coder.ExitCode()
	}
	return exitFailure
}

// problems takes apart what errors.Join put together, however deep; an error wrapped around a join is one problem.
func problems(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, problems(e)...)
	}
	return all
}
