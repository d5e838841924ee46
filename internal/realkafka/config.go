package realkafka

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"tidemark/internal/ports"
)

// clusterIDOf returns the id of the cluster whose first node has that data directory, or a new one. It tells one test's brokers
// from another's, should both have chosen the same port.
func clusterIDOf(dataDir string) (string, error) {
	meta, err := os.ReadFile(filepath.Join(dataDir, "meta.properties"))
	if errors.Is(err, os.ErrNotExist) {
		id := make([]byte, 16)
		_, _ = rand.Read(id)
		id[0] = 't' // Kafka keeps ids that begin with "-" out, and a few reserved ones
		return base64.RawURLEncoding.EncodeToString(id), nil
	}
	if err != nil {
		return "", fmt.Errorf("read the id of an earlier kafka cluster: %w", err)
	}
	for line := range strings.Lines(string(meta)) {
		if id, ok := strings.CutPrefix(strings.TrimSpace(line), "cluster.id="); ok {
			return id, nil
		}
	}
	return "", fmt.Errorf("%s/meta.properties has no cluster.id", dataDir)
}

// endpoints are one node's ports on 127.0.0.1; tls and sasl are used where Options.Secure is set.
type endpoints struct{ broker, controller, tls, sasl int }

func (e endpoints) brokerAddr() string { return "127.0.0.1:" + strconv.Itoa(e.broker) }

// choosePorts asks the kernel for free ports, and for the brokers' life keeps it from giving them to anybody else, where ports.Reserve
// can: a broker that is killed finds its ports free again. Elsewhere a start can find one taken; Start then chooses again.
func choosePorts(nodes int) (all []endpoints, release func(), err error) {
	const each = 4
	numbers := make([]int, each*nodes)
	var held []io.Closer
	release = func() {
		for _, h := range held {
			_ = h.Close()
		}
	}
	for i := range numbers {
		port, h, err := ports.Reserve()
		if err != nil {
			release()
			return nil, nil, fmt.Errorf("choose a port: %w", err)
		}
		held = append(held, h)
		numbers[i] = port
	}
	all = make([]endpoints, nodes)
	for i := range all {
		p := numbers[each*i:]
		all[i] = endpoints{broker: p[0], controller: p[1], tls: p[2], sasl: p[3]}
	}
	return all, release, nil
}

// serverProperties are the settings of one combined broker and controller, small and quick enough for tests. What decides
// whether acknowledged records survive (flushing, min.insync.replicas) stays as Kafka ships it.
func serverProperties(id int, all []endpoints, dir string, opts Options) map[string]string {
	voters := make([]string, len(all))
	for i, e := range all {
		voters[i] = fmt.Sprintf("%d@127.0.0.1:%d", i+1, e.controller)
	}
	me := all[id-1]
	replicas := strconv.Itoa(len(all))
	props := map[string]string{
		"process.roles":                  "broker,controller",
		"node.id":                        strconv.Itoa(id),
		"controller.quorum.voters":       strings.Join(voters, ","),
		"controller.listener.names":      "CONTROLLER",
		"listeners":                      fmt.Sprintf("PLAINTEXT://%s,CONTROLLER://127.0.0.1:%d", me.brokerAddr(), me.controller),
		"listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
		"advertised.listeners":           "PLAINTEXT://" + me.brokerAddr(),
		"log.dirs":                       filepath.Join(dir, "data"),
		// A killed broker may register again only when its last session has run out.
		"broker.session.timeout.ms":                        "3000",
		"broker.heartbeat.interval.ms":                     "500",
		"auto.create.topics.enable":                        "false",
		"default.replication.factor":                       replicas,
		"group.initial.rebalance.delay.ms":                 "0",
		"group.min.session.timeout.ms":                     "1000",
		"offsets.topic.num.partitions":                     "4",
		"offsets.topic.replication.factor":                 replicas,
		"transaction.state.log.num.partitions":             "4",
		"transaction.state.log.replication.factor":         replicas,
		"transaction.state.log.min.isr":                    "1",
		"share.coordinator.state.topic.num.partitions":     "1",
		"share.coordinator.state.topic.replication.factor": replicas,
		"share.coordinator.state.topic.min.isr":            "1",
	}
	if opts.Secure != nil {
		maps.Copy(props, opts.Secure.properties(props, me))
	}
	maps.Copy(props, opts.Properties)
	return props
}

func writeProperties(path string, props map[string]string) error {
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(props)) {
		fmt.Fprintf(&b, "%s=%s\n", key, strings.ReplaceAll(props[key], `\`, `\\`))
	}
	if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
		return fmt.Errorf("write kafka's server properties: %w", err)
	}
	return nil
}

// log4j writes warnings, and the server's own start and stop lines, to one file per node.
const log4j = `status=error
appender.file.type=File
appender.file.name=file
appender.file.fileName=%s
appender.file.layout.type=PatternLayout
appender.file.layout.pattern=[%%d] %%p %%m (%%c{1})%%n
rootLogger.level=warn
rootLogger.appenderRef.file.ref=file
logger.server.name=kafka.server.KafkaRaftServer
logger.server.level=info
`

func writeLog4j(path, logFile string) error {
	if err := os.WriteFile(path, fmt.Appendf(nil, log4j, logFile), 0o644); err != nil {
		return fmt.Errorf("write kafka's log configuration: %w", err)
	}
	return nil
}
