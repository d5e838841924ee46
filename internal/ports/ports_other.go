//go:build !linux

// Package ports chooses ports for servers that are started later, or again.
package ports

import (
	"io"
	"net"
)

// Reserve has the kernel choose a port of 127.0.0.1. Others may take it from when it is given here.
func Reserve() (port int, held io.Closer, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, nil, err
	}
	return l.Addr().(*net.TCPAddr).Port, io.NopCloser(nil), l.Close() //nolint:forcetypeassert // it is TCP
}
