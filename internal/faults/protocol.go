package faults

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"regexp"
	"strconv"
	"sync"
)

// kafkaProtocol knows Kafka's frames, and offset commits among them.
type kafkaProtocol struct {
	readdress func([]byte) []byte
	mu        sync.Mutex
	commits   map[uint32]bool // correlation ids of commits without an answer yet
}

const (
	offsetCommit = 8 // the API key
	frameLimit   = 256 << 20
)

func (*kafkaProtocol) message(_ bool, r *bufio.Reader) ([]byte, error) {
	size, err := r.Peek(4)
	if err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(size)
	if n > frameLimit {
		return nil, fmt.Errorf("a frame of %d bytes: this is not Kafka's protocol", n)
	}
	frame := make([]byte, 4+n)
	_, err = io.ReadFull(r, frame)
	return frame, err
}

func (k *kafkaProtocol) points(fromClient bool, frame []byte) (before, half, after Point) {
	if len(frame) < 12 {
		return "", "", ""
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if fromClient {
		if binary.BigEndian.Uint16(frame[4:]) != offsetCommit {
			return "", "", ""
		}
		k.commits[binary.BigEndian.Uint32(frame[8:])] = true
		return "commit begun", "", "commit sent"
	}
	copy(frame, k.readdress(frame))
	if id := binary.BigEndian.Uint32(frame[4:]); k.commits[id] {
		delete(k.commits, id)
		return "commit answered", "", ""
	}
	return "", "", ""
}

// readdressing returns the replacement of a broker's address, as answers hold it (a string and an int32), by one of the
// same length: clients are to come back through the proxy.
func readdressing(from, to string) (func([]byte) []byte, error) {
	var pattern [2][]byte
	for i, addr := range []string{from, to} {
		host, port, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, err
		}
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil {
			return nil, err
		}
		pattern[i] = binary.BigEndian.AppendUint32([]byte(host), uint32(n))
	}
	if len(pattern[0]) != len(pattern[1]) {
		return nil, fmt.Errorf("the hosts of %s and %s must be of the same length", from, to)
	}
	return func(frame []byte) []byte { return bytes.ReplaceAll(frame, pattern[0], pattern[1]) }, nil
}

// clickhouseProtocol follows inserts of the native protocol: the query, the server's header of the columns, the rows, the
// server's last word. Other messages are whatever one read returns.
type clickhouseProtocol struct {
	bytesProtocol
	mu    sync.Mutex
	table string
	step  insertStep
}

type insertStep int

const (
	idle   insertStep = iota
	asked             // the client has sent the query
	headed            // the server has answered with the columns
	rows              // the client has sent rows
)

var insertQuery = regexp.MustCompile(`INSERT INTO (\w+?)(?:_all)? \(`) // by the name that people know

// endOfStream and exception are the server's last words on a query, by their packet types.
const (
	exception   = 2
	endOfStream = 5
)

func (c *clickhouseProtocol) points(fromClient bool, chunk []byte) (before, half, after Point) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if fromClient {
		if m := insertQuery.FindSubmatch(chunk); m != nil {
			c.table, c.step = string(m[1]), asked
			return "", "", ""
		}
		if c.step == headed {
			c.step = rows
			return c.at("begun"), c.at("torn"), c.at("sent")
		}
		return "", "", ""
	}
	switch {
	case c.step == asked:
		c.step = headed
	case c.step == rows && (chunk[0] == exception || chunk[len(chunk)-1] == endOfStream):
		c.step = idle
		return c.at("answered"), "", ""
	}
	return "", "", ""
}

func (c *clickhouseProtocol) at(step string) Point { return Point(c.table + " " + step) }

// bytesProtocol knows nothing: a message is whatever one read returns.
type bytesProtocol struct{}

func (bytesProtocol) message(_ bool, r *bufio.Reader) ([]byte, error) {
	if _, err := r.Peek(1); err != nil {
		return nil, err
	}
	chunk := make([]byte, r.Buffered())
	_, err := io.ReadFull(r, chunk)
	return chunk, err
}

func (bytesProtocol) points(bool, []byte) (before, half, after Point) { return "", "", "" }
