// Package faults breaks what breaks in real life, under running processes of tidemark, and has every row recounted after
// it: processes killed at every step and at random, stopped and woken, connections cut, delayed and half-open, disks
// read-only and full. The package itself holds the Proxy that tests put between tidemark and Kafka or ClickHouse.
package faults

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// Point is a step of a conversation at which a Trap can close: "commit sent", or a table's name with a step of its insert,
// as in "counters torn".
type Point string

// protocol cuts a connection's bytes into messages and says which points each passes.
type protocol interface {
	// message reads the next message whole.
	message(fromClient bool, r *bufio.Reader) ([]byte, error)
	// points are what is reached before the message is forwarded, with half of it forwarded, and after.
	points(fromClient bool, message []byte) (before, half, after Point)
}

// Proxy forwards connections to one server, and does to them what networks do. Its methods may be called from several
// goroutines.
type Proxy struct {
	listener net.Listener
	protocol func() protocol // a new one a connection
	pumps    sync.WaitGroup

	mu     sync.Mutex
	target string
	links  map[*link]bool
	mode   mode
	delay  time.Duration
	trap   *trap
}

type mode int

const (
	passing  mode = iota
	refusing      // connections are reset
	silent        // connections are taken, and nothing is ever answered
)

type trap struct {
	point Point
	left  int
	act   func()
}

// Kafka returns a proxy for a broker. Where the broker tells clients its address, they get the proxy's.
func Kafka(broker string) (*Proxy, error) {
	p, err := listen(broker)
	if err != nil {
		return nil, err
	}
	readdress, err := readdressing(broker, p.Addr())
	if err != nil {
		return nil, errors.Join(err, p.listener.Close())
	}
	p.protocol = func() protocol { return &kafkaProtocol{readdress: readdress, commits: map[uint32]bool{}} }
	p.serve()
	return p, nil
}

// ClickHouse returns a proxy for the native protocol.
func ClickHouse(server string) (*Proxy, error) {
	p, err := listen(server)
	if err != nil {
		return nil, err
	}
	p.protocol = func() protocol { return &clickhouseProtocol{} }
	p.serve()
	return p, nil
}

// TCP returns a proxy for whatever is spoken: it knows no points.
func TCP(server string) (*Proxy, error) {
	p, err := listen(server)
	if err != nil {
		return nil, err
	}
	p.protocol = func() protocol { return bytesProtocol{} }
	p.serve()
	return p, nil
}

// Lead leads new connections to another server: the old one came back elsewhere.
func (p *Proxy) Lead(server string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = server
}

func listen(target string) (*Proxy, error) {
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for %s: %w", target, err)
	}
	return &Proxy{listener: l, target: target, links: map[*link]bool{}}, nil
}

// Addr is where clients reach the server through the proxy.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Close ends the proxy and all its connections.
func (p *Proxy) Close() error {
	err := p.listener.Close()
	p.Refuse()
	p.pumps.Wait()
	return err
}

// Cut resets every connection; new ones go through.
func (p *Proxy) Cut() { p.each(func(l *link) { l.reset() }) }

// Refuse resets every connection, and new ones until Heal.
func (p *Proxy) Refuse() {
	p.set(refusing, 0)
	p.Cut()
}

// HalfOpen leaves clients with connections whose other end is gone without a word, as after a power cut: nothing that they
// send is answered. New connections are the same until Heal; those that are half open stay so.
func (p *Proxy) HalfOpen() {
	p.set(silent, 0)
	p.each(func(l *link) { l.deafen() })
}

// Delay holds every message back for d, in both directions, until Heal.
func (p *Proxy) Delay(d time.Duration) { p.set(passing, d) }

// Heal lets everything through again.
func (p *Proxy) Heal() { p.set(passing, 0) }

// Trap has act called, once, when the point is reached for the n-th time; the connection goes on when act has returned.
func (p *Proxy) Trap(point Point, n int, act func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.trap = &trap{point, n, act}
}

func (p *Proxy) set(m mode, delay time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mode, p.delay = m, delay
}

func (p *Proxy) now() (mode, time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mode, p.delay
}

func (p *Proxy) each(do func(*link)) {
	p.mu.Lock()
	links := make([]*link, 0, len(p.links))
	for l := range p.links {
		links = append(links, l)
	}
	p.mu.Unlock()
	for _, l := range links {
		do(l)
	}
}

// reach springs the trap if it is set for the point and its time has come.
func (p *Proxy) reach(point Point) {
	if act := p.sprung(point); act != nil {
		act()
	}
}

func (p *Proxy) sprung(point Point) (act func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.trap == nil || point == "" || p.trap.point != point {
		return nil
	}
	if p.trap.left--; p.trap.left > 0 {
		return nil
	}
	act, p.trap = p.trap.act, nil
	return act
}

func (p *Proxy) serve() {
	p.pumps.Go(func() {
		for {
			client, err := p.listener.Accept()
			if err != nil {
				return // Close
			}
			p.pumps.Go(func() { p.connect(client.(*net.TCPConn)) }) //nolint:forcetypeassert // it listens on TCP
		}
	})
}

func (p *Proxy) connect(client *net.TCPConn) {
	l := &link{proxy: p, client: client, protocol: p.protocol(), closed: make(chan struct{})}
	p.mu.Lock()
	passes, target := p.mode == passing, p.target
	p.mu.Unlock()
	if passes {
		server, err := new(net.Dialer).DialContext(context.Background(), "tcp", target)
		if err != nil {
			l.reset()
			return
		}
		l.server = server.(*net.TCPConn) //nolint:forcetypeassert // it dialled TCP
	}
	p.mu.Lock()
	p.links[l] = true
	p.mu.Unlock()
	switch m, _ := p.now(); { // the mode may have changed meanwhile
	case m == refusing:
		l.reset()
	case m == silent || l.server == nil:
		l.deafen()
	}
	l.run()
	p.mu.Lock()
	delete(p.links, l)
	p.mu.Unlock()
}
