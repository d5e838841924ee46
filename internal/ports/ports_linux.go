// Package ports chooses ports for servers that are started later, or again.
package ports

import (
	"errors"
	"io"
	"os"
	"syscall"
)

// Reserve has the kernel choose a port of 127.0.0.1, and give it to nobody who does not ask for this one until it is closed. The socket
// is bound but does not listen, and so is in no listener's way: Linux lets both have the port if both reuse addresses, as Java and Go do.
func Reserve() (port int, held io.Closer, err error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, nil, os.NewSyscallError("socket", err)
	}
	socket := os.NewFile(uintptr(fd), "reserved port")
	err = errors.Join(
		os.NewSyscallError("setsockopt", syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1)),
		os.NewSyscallError("bind", syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}})),
	)
	if err != nil {
		return 0, nil, errors.Join(err, socket.Close())
	}
	bound, err := syscall.Getsockname(fd)
	if err != nil {
		return 0, nil, errors.Join(os.NewSyscallError("getsockname", err), socket.Close())
	}
	return bound.(*syscall.SockaddrInet4).Port, socket, nil //nolint:forcetypeassert // it is bound to such an address
}
