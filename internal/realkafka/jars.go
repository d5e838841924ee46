package realkafka

import (
	"context"
	_ "embed"
	"encoding/xml"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// minJava is the Java version that a Kafka 4 broker needs.
const minJava = 17

//go:embed pom.xml
var pom []byte

// MissingToolError says that java or mvn cannot be used on this machine, and why.
type MissingToolError struct {
	// Tool is "java" or "mvn".
	Tool string
	// Why is a sentence that says what was tried and what to install.
	Why string
}

func (e *MissingToolError) Error() string {
	return fmt.Sprintf("real kafka needs %s: %s", e.Tool, e.Why)
}

// kafkaVersion reads the pinned version from pom.xml, its only home.
func kafkaVersion() (string, error) {
	var project struct {
		Dependencies []struct {
			ArtifactID string `xml:"artifactId"`
			Version    string `xml:"version"`
		} `xml:"dependencies>dependency"`
	}
	if err := xml.Unmarshal(pom, &project); err != nil {
		return "", fmt.Errorf("read pom.xml: %w", err)
	}
	for _, d := range project.Dependencies {
		if strings.HasPrefix(d.ArtifactID, "kafka_") {
			return d.Version, nil
		}
	}
	return "", errors.New("pom.xml pins no kafka_ jar")
}

var javaVersion = regexp.MustCompile(`version "(?:1\.)?(\d+)`)

// findJava returns the java binary of JAVA_HOME, else of PATH, once it has told a version that can run the broker.
func findJava(ctx context.Context) (string, error) {
	java := "java"
	if home := os.Getenv("JAVA_HOME"); home != "" {
		java = filepath.Join(home, "bin", "java")
	}
	path, err := exec.LookPath(java)
	if err != nil {
		return "", &MissingToolError{"java", fmt.Sprintf("%v; install a JDK %d or newer", err, minJava)}
	}
	out, err := exec.CommandContext(ctx, path, "-version").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s -version: %w: %s", path, err, out)
	}
	m := javaVersion.FindSubmatch(out)
	if m == nil {
		return "", fmt.Errorf("%s -version: no version in %q", path, out)
	}
	if major, _ := strconv.Atoi(string(m[1])); major < minJava {
		return "", &MissingToolError{"java", fmt.Sprintf("%s is version %s; install a JDK %d or newer", path, m[1], minJava)}
	}
	return path, nil
}

// ensureJars returns the directory that holds the broker's jars, after Maven has fetched them if this machine's cache lacks them.
// The directory appears by one rename, so it is either complete or not there.
func ensureJars(ctx context.Context) (string, error) {
	version, err := kafkaVersion()
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the cache directory for kafka's jars: %w", err)
	}
	parent := filepath.Join(cache, "tidemark", "kafka")
	jars := filepath.Join(parent, version)
	if _, err := os.Stat(jars); err == nil {
		return jars, nil
	}
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return "", fmt.Errorf("create the cache directory for kafka's jars: %w", err)
	}
	unlock, err := lockFile(ctx, filepath.Join(parent, "LOCK"))
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(jars); err == nil {
		return jars, nil // another process fetched them while this one waited for the lock
	}
	tmp := jars + ".partial"
	if err := errors.Join(os.RemoveAll(tmp), os.Mkdir(tmp, 0o755)); err != nil {
		return "", fmt.Errorf("create the cache directory for kafka's jars: %w", err)
	}
	defer func() { _ = os.RemoveAll(tmp) }()
	if err := fetchJars(ctx, tmp); err != nil {
		return "", err
	}
	if err := os.Rename(filepath.Join(tmp, "lib"), jars); err != nil {
		return "", fmt.Errorf("move kafka's jars into the cache: %w", err)
	}
	return jars, nil
}

// fetchJars runs Maven with the machine's own settings.xml; dir gets the pom and lib/ with the jars.
func fetchJars(ctx context.Context, dir string) error {
	mvn, err := exec.LookPath("mvn")
	if err != nil {
		return &MissingToolError{"mvn", fmt.Sprintf("%v; install Apache Maven, it fetches kafka's jars once", err)}
	}
	if err := os.WriteFile(filepath.Join(dir, "pom.xml"), pom, 0o644); err != nil {
		return fmt.Errorf("write kafka's pom: %w", err)
	}
	cmd := exec.CommandContext(ctx, mvn, "--batch-mode", "--quiet", "--strict-checksums",
		"dependency:copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory=lib")
	cmd.Dir = dir
	// mvn is a shell script: its java would outlive a kill of the script alone.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("fetch kafka's jars with %s: %w\n%s", mvn, errors.Join(err, ctx.Err()), out)
	}
	return nil
}

// lockFile waits for an advisory lock, which the kernel releases when the holder ends in whatever way.
func lockFile(ctx context.Context, path string) (unlock func(), err error) {
	const pollEvery = 100 * time.Millisecond
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { _ = f.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			_ = f.Close()
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		select {
		case <-ctx.Done():
			_ = f.Close()
			return nil, fmt.Errorf("wait for another process to fetch kafka's jars (lock %s): %w", path, ctx.Err())
		case <-tick.C:
		}
	}
}
