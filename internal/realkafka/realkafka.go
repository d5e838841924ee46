// Package realkafka runs Apache Kafka brokers (KRaft, no ZooKeeper) as child processes, for tests that must meet the real thing.
//
// The broker's jars come from Maven, pinned in pom.xml, into the user's cache directory once per version.
package realkafka

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"
)

// Options say where and how the cluster runs.
type Options struct {
	// Dir gets every node's data, configuration and logs. A directory that an earlier cluster of as many nodes used continues.
	Dir string
	// Nodes is how many brokers, each also a controller; 0 means 1.
	Nodes int
	// HeapMB limits each node's Java heap; 0 means 512.
	HeapMB int
	// Properties override single server properties on every node.
	Properties map[string]string
	// Secure adds listeners with TLS and logins, and access control; nil: everybody may do everything.
	Secure *Secure
}

// Cluster is a running Kafka cluster. Its methods are not safe for concurrent use.
type Cluster struct {
	nodes   []*node
	release func() // of the ports
}

// Start fetches the jars if need be, formats the storage, starts every node and waits until all of them serve clients. Without
// java, or without mvn when the jars are not cached, the error is a *MissingToolError. The caller ends the cluster with Stop.
func Start(ctx context.Context, opts Options) (*Cluster, error) {
	opts.Nodes = max(opts.Nodes, 1)
	if opts.HeapMB == 0 {
		opts.HeapMB = 512
	}
	if opts.Dir == "" {
		return nil, errors.New("start real kafka: Options.Dir is empty")
	}
	java, jars, err := tools(ctx)
	if err != nil {
		return nil, err
	}
	for {
		how := launch{java: java, jars: jars, heapMB: opts.HeapMB}
		if opts.Secure != nil {
			how.options = append(how.options, "-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls="+opts.Secure.jwksURL())
		}
		c, err := startOnce(ctx, opts, how)
		if err == nil || !errors.Is(err, errPortTaken) {
			return c, err
		}
	}
}

// Fetch makes sure that this machine can run a cluster, and downloads the jars unless they are cached. Its errors are Start's.
func Fetch(ctx context.Context) error {
	_, _, err := tools(ctx)
	return err
}

func tools(ctx context.Context) (java, jars string, err error) {
	if java, err = findJava(ctx); err != nil {
		return "", "", err
	}
	if jars, err = ensureJars(ctx); err != nil {
		return "", "", err
	}
	return java, jars, nil
}

func startOnce(ctx context.Context, opts Options, launch launch) (*Cluster, error) {
	clusterID, err := clusterIDOf(filepath.Join(opts.Dir, nodeDir(1), "data"))
	if err != nil {
		return nil, err
	}
	ports, release, err := choosePorts(opts.Nodes)
	if err != nil {
		return nil, err
	}
	c := &Cluster{release: release}
	if err := c.startAll(ctx, opts, launch, clusterID, ports); err != nil {
		c.killAll()
		release()
		return nil, err
	}
	return c, nil
}

func (c *Cluster) startAll(ctx context.Context, opts Options, launch launch, clusterID string, ports []endpoints) error {
	preparing, pctx := errgroup.WithContext(ctx)
	for i, e := range ports {
		n := &node{
			id: i + 1, clusterID: clusterID, dir: filepath.Join(opts.Dir, nodeDir(i+1)), launch: launch, addr: e.brokerAddr(), at: e,
		}
		c.nodes = append(c.nodes, n)
		preparing.Go(func() error {
			return n.prepare(pctx, serverProperties(n.id, ports, n.dir, opts))
		})
	}
	if err := preparing.Wait(); err != nil {
		return err
	}
	for _, n := range c.nodes {
		if err := n.start(ctx); err != nil {
			return err
		}
	}
	for _, n := range c.nodes {
		if err := c.waitReady(ctx, n, len(c.nodes)); err != nil {
			return err
		}
	}
	return nil
}

func nodeDir(id int) string { return "node-" + strconv.Itoa(id) }

// Brokers returns every node's host:port, for use as bootstrap addresses. They stay the same across Kill and Restart.
func (c *Cluster) Brokers() []string {
	out := make([]string, len(c.nodes))
	for i, n := range c.nodes {
		out[i] = n.addr
	}
	return out
}

// PIDs returns every node's process id, for measuring or pausing it; that of a node that has ended is its last.
func (c *Cluster) PIDs() []int {
	out := make([]int, len(c.nodes))
	for i, n := range c.nodes {
		out[i] = n.proc.pid
	}
	return out
}

// Kill ends a node (1 for the first) with SIGKILL, as a crash would, and returns once it is gone.
func (c *Cluster) Kill(id int) error {
	n, err := c.node(id)
	if err != nil {
		return err
	}
	if !n.proc.running() {
		return fmt.Errorf("kill kafka node %d: it is not running", id)
	}
	n.kill()
	return nil
}

// Restart starts a node that was killed, on the same ports and data, and waits until it serves clients.
func (c *Cluster) Restart(ctx context.Context, id int) error {
	n, err := c.node(id)
	if err != nil {
		return err
	}
	if n.proc.running() {
		return fmt.Errorf("restart kafka node %d: it is running", id)
	}
	if err := n.start(ctx); err != nil {
		return err
	}
	if err := c.waitReady(ctx, n, 1); err != nil {
		n.kill()
		return err
	}
	return nil
}

// Stop ends every node: orderly, or with SIGKILL once stopGrace has passed. No process is left when it returns.
func (c *Cluster) Stop() {
	// A quorum that loses its majority cannot shut its last nodes down in order, so a bounded wait is the rule, not the exception.
	const stopGrace = 10 * time.Second
	defer c.release()
	for _, n := range c.nodes {
		n.proc.signal(syscall.SIGTERM)
	}
	grace := time.NewTimer(stopGrace)
	defer grace.Stop()
	for _, n := range c.nodes {
		if n.proc == nil {
			continue
		}
		select {
		case <-n.proc.exited:
		case <-grace.C:
			c.killAll()
			return
		}
	}
}

func (c *Cluster) killAll() {
	for _, n := range c.nodes {
		n.kill()
	}
}

func (c *Cluster) node(id int) (*node, error) {
	if id < 1 || id > len(c.nodes) {
		return nil, fmt.Errorf("kafka node %d: the cluster has nodes 1 to %d", id, len(c.nodes))
	}
	return c.nodes[id-1], nil
}

// waitReady returns once the node itself answers a metadata request in which it, and at least as many brokers as wanted, are listed.
func (c *Cluster) waitReady(ctx context.Context, n *node, brokers int) error {
	const pollEvery = 100 * time.Millisecond
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		err := n.serves(ctx, brokers)
		if err == nil {
			return nil
		}
		if n.portTaken() {
			return fmt.Errorf("kafka node %d: %w", n.id, errPortTaken)
		}
		select {
		case <-n.proc.exited:
			return n.failure()
		case <-ctx.Done():
			return fmt.Errorf("wait for kafka node %d at %s: %w", n.id, n.addr, errors.Join(ctx.Err(), err))
		case <-tick.C:
		}
	}
}

func (n *node) serves(ctx context.Context, brokers int) error {
	const answerWithin = 5 * time.Second
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	cl, err := kgo.NewClient(kgo.SeedBrokers(n.addr), kgo.RequestRetries(0))
	if err != nil {
		return fmt.Errorf("client of kafka node %d: %w", n.id, err)
	}
	defer cl.Close()
	meta, err := kadm.NewClient(cl).BrokerMetadata(ctx)
	if err != nil {
		return fmt.Errorf("metadata from kafka node %d: %w", n.id, err)
	}
	if meta.Cluster != n.clusterID {
		return fmt.Errorf("%s is served by another cluster, %s", n.addr, meta.Cluster)
	}
	for _, b := range meta.Brokers {
		if int(b.NodeID) == n.id && len(meta.Brokers) >= brokers {
			return nil
		}
	}
	return fmt.Errorf("kafka node %d knows %d brokers, want itself and at least %d", n.id, len(meta.Brokers), brokers)
}
