package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/alecthomas/kong"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"tidemark/internal/config"
)

// globals are the flags of every subcommand, and the process's surroundings.
type globals struct {
	Config    string `short:"c" placeholder:"FILE" env:"TIDEMARK_CONFIG" help:"Configuration file; without it the defaults and TIDEMARK_* variables alone."`
	LogLevel  string `placeholder:"LEVEL" help:"Log debug, info, warn or error and above, whatever the configuration says."`
	LogFormat string `placeholder:"FORMAT" help:"Log as console or json, whatever the configuration says."`

	env            []string // NAME=value, without those that belong to flags
	stdout, stderr io.Writer
}

// load reads the configuration, and lays the global flags over it.
func (g *globals) load() (config.Config, error) {
	env := append([]string{}, g.env...) // The last of two values for one variable counts.
	env = append(env, "TIDEMARK_LOG_LEVEL="+g.LogLevel, "TIDEMARK_LOG_FORMAT="+g.LogFormat)
	return config.Load(g.Config, env)
}

// logger builds the logger that log describes; it writes to standard error.
func (g *globals) logger(log config.Log) (*zap.Logger, error) {
	level, err := zapcore.ParseLevel(log.Level)
	if err != nil {
		return nil, fmt.Errorf("log.level: %w", err)
	}
	encoding := zap.NewProductionEncoderConfig()
	encoding.EncodeTime = zapcore.ISO8601TimeEncoder
	encoder := zapcore.NewJSONEncoder(encoding)
	if log.Format == "console" {
		encoding.EncodeLevel = zapcore.CapitalLevelEncoder
		encoder = zapcore.NewConsoleEncoder(encoding)
	}
	core := zapcore.NewCore(encoder, zapcore.Lock(zapcore.AddSync(g.stderr)), level)
	return zap.New(core, zap.AddStacktrace(zapcore.DPanicLevel)), nil
}

// withoutFlags drops from env the variables that stand for flags of any subcommand: kong has read them, and the
// configuration would refuse them as unknown.
func withoutFlags(node *kong.Node, env []string) []string {
	names := map[string]bool{}
	collectEnvs(node, names)
	var rest []string
	for _, variable := range env {
		name, _, _ := strings.Cut(variable, "=")
		if !names[name] {
			rest = append(rest, variable)
		}
	}
	return rest
}

func collectEnvs(node *kong.Node, names map[string]bool) {
	for _, flag := range node.Flags {
		for _, name := range flag.Envs {
			names[name] = true
		}
	}
	for _, child := range node.Children {
		collectEnvs(child, names)
	}
}
