package faults

import (
	"bufio"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// link is one client's connection and the one to the server that it stands for.
type link struct {
	proxy    *Proxy
	client   *net.TCPConn
	server   *net.TCPConn // nil: there never was one
	protocol protocol
	deaf     atomic.Bool // the server's end is gone, and the client is not told
	once     sync.Once
	closed   chan struct{}
}

// run forwards until either end closes.
func (l *link) run() {
	var pumps sync.WaitGroup
	if l.server != nil {
		pumps.Go(func() { l.pump(l.server, l.client, false) })
	}
	l.pump(l.client, l.server, true)
	pumps.Wait()
}

// reset ends both connections at once, without a farewell.
func (l *link) reset() {
	l.once.Do(func() {
		close(l.closed)
		for _, c := range []*net.TCPConn{l.client, l.server} {
			if c != nil {
				_ = c.SetLinger(0)
				_ = c.Close()
			}
		}
	})
}

// deafen ends the server's connection alone.
func (l *link) deafen() {
	l.deaf.Store(true)
	if l.server != nil {
		_ = l.server.SetLinger(0)
		_ = l.server.Close()
	}
}

func (l *link) pump(from, to *net.TCPConn, fromClient bool) {
	defer l.end(fromClient)
	in := bufio.NewReaderSize(from, 64<<10)
	for {
		message, err := l.protocol.message(fromClient, in)
		if err != nil {
			return
		}
		if l.deaf.Load() {
			_, _ = io.Copy(io.Discard, in) // until the client gives up
			return
		}
		if _, delay := l.proxy.now(); delay > 0 {
			select {
			case <-time.After(delay):
			case <-l.closed:
				return
			}
		}
		if l.forward(to, message, fromClient) != nil && !l.deaf.Load() {
			return
		}
	}
}

// end closes the link, but for a client that is to believe that it is open.
func (l *link) end(fromClient bool) {
	if fromClient || !l.deaf.Load() {
		l.reset()
	}
}

func (l *link) forward(to *net.TCPConn, message []byte, fromClient bool) error {
	before, half, after := l.protocol.points(fromClient, message)
	l.proxy.reach(before)
	n := 0
	if half != "" {
		n = len(message) / 2
		if _, err := to.Write(message[:n]); err != nil {
			return err
		}
		l.proxy.reach(half)
	}
	if _, err := to.Write(message[n:]); err != nil {
		return err
	}
	l.proxy.reach(after)
	return nil
}
