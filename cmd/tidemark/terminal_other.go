//go:build !linux

package main

import (
	"errors"
	"os"
)

// keysOf is for Linux only: elsewhere Ctrl-C ends what q would.
func keysOf(*os.File) (restore func(), err error) {
	return nil, errors.ErrUnsupported
}

func sizeOf(*os.File) (columns, rows int) { return 0, 0 }
