//go:build !linux

package realkafka

import (
	"io"
	"net"
)

// reserve has the kernel choose a port of 127.0.0.1. Others may take it from when it is given here.
func reserve() (port int, held io.Closer, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, nil, err
	}
	return l.Addr().(*net.TCPAddr).Port, l, l.Close() //nolint:forcetypeassert // it is TCP
}
