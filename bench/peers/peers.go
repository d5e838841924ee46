// Package peers builds the Java programs that the benchmark compares the pipeline with. Each is a directory with a pom.xml, whose
// jars Maven fetches once into the user's cache, and one source file.
package peers

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

//go:embed kafkastreams/pom.xml kafkastreams/Peer.java flink/pom.xml flink/Peer.java
var sources embed.FS

// Job is a program, and how it is run.
type Job struct {
	name string
	jvm  []string
	// Finishes says that the program ends its job by itself and says so; otherwise it runs until it is told to end.
	Finishes bool
	// Settings are what was tuned, and why.
	Settings map[string]string
}

// heap is what both get: more than they use, collected by the collector with the highest throughput.
var heap = []string{"-Xms2g", "-Xmx4g", "-XX:+UseParallelGC"}

// KafkaStreams is the job in Kafka Streams, on RocksDB, exactly once.
var KafkaStreams = &Job{
	name: "kafkastreams", jvm: heap,
	Settings: map[string]string{
		"processing.guarantee exactly_once_v2":              "what is compared: the only guarantee of it under which a count is right after a crash",
		"commit.interval.ms 2000":                           "20 times the default: fewer transactions, and each window is written once in 2 s instead of ten times a second",
		"statestore.cache.max.bytes 512 MB":                 "every window that changes between two commits fits, so RocksDB and the changelog get one write each",
		"num.stream.threads = cores":                        "one thread a core; records are keyed by account already, so nothing is repartitioned",
		"RocksDB: memtables 64 MB, block cache 256 MB, LZ4": "a commit's writes fit into a memtable; the defaults are 16 MB and 50 MB a store",
		"state as plain bytes, Jackson's streaming parser":  "no serde between cache and aggregate; only three fields are decoded, the rest is skipped",
		"max.poll.records and buffered.records 10000, max.partition.fetch.bytes 4 MB, lz4, linger 100 ms, batches of 512 KB": "few big requests",
		"-Xms2g -Xmx4g -XX:+UseParallelGC": "more than it uses, and the collector with the highest throughput",
	},
}

// Flink is the job in Flink's DataStream API, in one process.
var Flink = &Job{
	name: "flink", jvm: append([]string{
		// What Flink's own scripts pass for Java 17.
		"--add-opens=java.base/java.lang=ALL-UNNAMED", "--add-opens=java.base/java.util=ALL-UNNAMED", "--add-opens=java.base/java.time=ALL-UNNAMED",
		"--add-opens=java.base/java.util.concurrent=ALL-UNNAMED", "--add-opens=java.base/java.util.concurrent.atomic=ALL-UNNAMED",
		"--add-opens=java.base/java.net=ALL-UNNAMED", "--add-opens=java.base/java.io=ALL-UNNAMED", "--add-opens=java.base/java.nio=ALL-UNNAMED",
		"--add-opens=java.base/java.text=ALL-UNNAMED", "--add-opens=java.base/sun.net.util=ALL-UNNAMED",
	}, heap...),
	Finishes: true,
	Settings: map[string]string{
		"state in the heap (hashmap)":                                                                   "the fastest state backend, and the windows fit; RocksDB would be slower",
		"checkpoint every 2 s, exactly once, to local files":                                            "as often as Kafka Streams commits; aligned, because nothing holds barriers up",
		"sink at least once, no transactions":                                                           "cheaper than exactly once; rows are absolute, so a repeated one does no harm",
		"watermark 5 minutes behind, allowed lateness 4 h":                                              "as the pipeline's disorder, so that windows go out while the topic is read; late events fire theirs again",
		"parallelism = cores, object reuse, tuples and POJOs":                                           "no copies between operators of a task, no Kryo",
		"Jackson's streaming parser":                                                                    "only three fields are decoded, the rest is skipped",
		"max.poll.records 10000, max.partition.fetch.bytes 4 MB, lz4, linger 100 ms, batches of 512 KB": "few big requests",
		"-Xms2g -Xmx4g -XX:+UseParallelGC":                                                              "more than it uses, and the collector with the highest throughput",
	},
}

// MissingToolError says that a peer cannot be built on this machine, and why.
type MissingToolError struct{ Tool, Why string }

func (e *MissingToolError) Error() string { return fmt.Sprintf("it needs %s: %s", e.Tool, e.Why) }

// Built is a program that is ready to run.
type Built struct {
	job *Job
	dir string
}

// Command is the program with its arguments: brokers, group, input topic, output topic, directory of its state.
func (b *Built) Command(args ...string) *exec.Cmd {
	all := append([]string{"-cp", filepath.Join(b.dir, "classes") + ":" + filepath.Join(b.dir, "lib", "*"), "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"}, b.job.jvm...)
	return exec.Command("java", append(append(all, "Peer"), args...)...)
}

// Build fetches the jars and compiles, unless this machine's cache has both. Without a JDK or Maven its error is a
// *MissingToolError.
func Build(ctx context.Context, job *Job) (*Built, error) {
	for _, tool := range []string{"java", "javac", "mvn"} {
		if _, err := exec.LookPath(tool); err != nil {
			return nil, &MissingToolError{tool, err.Error() + "; install a JDK 17 or newer, and Apache Maven"}
		}
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, fmt.Errorf("find the cache directory for jars: %w", err)
	}
	hash := sha256.New()
	files := map[string][]byte{}
	for _, name := range []string{"pom.xml", "Peer.java"} {
		if files[name], err = sources.ReadFile(job.name + "/" + name); err != nil {
			return nil, err
		}
		hash.Write(files[name])
	}
	dir := filepath.Join(cache, "tidemark", "bench", job.name+"-"+hex.EncodeToString(hash.Sum(nil))[:12])
	if _, err := os.Stat(dir); err == nil {
		return &Built{job, dir}, nil
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return nil, fmt.Errorf("create the cache directory for jars: %w", err)
	}
	// Made beside and moved there in one step, so that it is whole or not there.
	tmp, err := os.MkdirTemp(filepath.Dir(dir), job.name+"-partial-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(tmp) //nolint:errcheck // it is in the cache
	fmt.Printf("Fetching and compiling %s.\n", job.name)
	if err := job.make(ctx, tmp, files); err != nil {
		return nil, err
	}
	if err := os.Rename(tmp, dir); err != nil {
		if _, exists := os.Stat(dir); exists != nil {
			return nil, fmt.Errorf("move %s into the cache: %w", job.name, err)
		}
	}
	return &Built{job, dir}, nil
}

func (job *Job) make(ctx context.Context, dir string, files map[string][]byte) error {
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			return err
		}
	}
	err := run(ctx, dir, "mvn", "--batch-mode", "--quiet", "--strict-checksums", "dependency:copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory=lib")
	if err != nil {
		return err
	}
	return run(ctx, dir, "javac", "-cp", filepath.Join("lib", "*"), "-d", "classes", "Peer.java")
}

func run(ctx context.Context, dir, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.WaitDelay = 5 * time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", name, errors.Join(err, ctx.Err()), out)
	}
	return nil
}
