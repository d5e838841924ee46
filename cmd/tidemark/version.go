package main

import (
	"context"
	"fmt"
	"runtime"
)

// version is set by the linker: see the Makefile's build target.
var version = "devel"

type versionCmd struct{}

// Run prints the version on one line.
func (*versionCmd) Run(_ context.Context, g *globals) error {
	_, err := fmt.Fprintf(g.stdout, "tidemark %s (%s, %s/%s)\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}
