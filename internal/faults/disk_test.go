//go:build faults

package faults_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tidemark/internal/devclickhouse/chtest"
)

// onSmallDisk is a command line that puts a small file system of its own under an engine's data, and becomes the engine: its
// mount is seen, and lives, in that process alone. The file status, which the engine holds open for writing, stays outside, or
// the kernel would refuse to make the file system read-only. It forgets about the parent's death at unshare, so it is told
// again.
const onSmallDisk = `mkdir "$1.disk" && mount -t tmpfs -o size=%dm tmpfs "$1.disk" && cp -a "$1/." "$1.disk" && mount --move "$1.disk" "$1" &&
	touch "$1.status" "$1/status" && mount --bind "$1.status" "$1/status" &&
	shift && exec setpriv --pdeathsig TERM -- "$@"`

// disk is the small file system of an engine.
type disk struct {
	t    *testing.T
	mb   int
	pid  int
	path string // in the engine's namespace
}

// startOnDisk starts an engine whose data is on a disk of some MB.
func startOnDisk(t *testing.T, mb int) (*engine, *disk) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "unshare", "--user", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "tmpfs", t.TempDir()).CombinedOutput()
	require.NoError(t, err, "this test mounts a file system in a user namespace, which is not allowed here: %s", out)
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	e := &engine{t: t}
	e.opts.Dir = dir
	e.opts.EngineCommand = append([]string{
		"unshare", "--user", "--map-root-user", "--mount", "sh", "-c", fmt.Sprintf(onSmallDisk, mb), "sh", data,
	}, chtest.Command(t)...)
	e.start()
	return e, &disk{t: t, mb: mb, pid: e.server.PID(), path: data}
}

// fill leaves no byte free; empty gives them back.
func (d *disk) fill() {
	d.t.Helper()
	f, err := os.Create(d.filler())
	require.NoError(d.t, err)
	defer f.Close() //nolint:errcheck // it is full
	block := bytes.Repeat([]byte{1}, 4096)
	for n := 0; err == nil && n <= d.mb<<20; n += len(block) {
		_, err = f.Write(block)
	}
	require.ErrorIs(d.t, err, syscall.ENOSPC)
}

func (d *disk) empty() { require.NoError(d.t, os.Remove(d.filler())) }

func (d *disk) filler() string {
	return filepath.Join("/proc", fmt.Sprint(d.pid), "root", d.path, "filler")
}

// remount makes the disk read-only ("ro"), as the kernel does after an error of the device, or writable ("rw"). It waits
// for moments without an open file.
func (d *disk) remount(mode string) {
	d.t.Helper()
	var said []byte
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); pass(10 * time.Millisecond) {
		var err error
		said, err = exec.CommandContext(d.t.Context(), "nsenter", "--target", fmt.Sprint(d.pid), "--user", "--preserve-credentials", "--mount",
			"mount", "-o", "remount,"+mode, d.path).CombinedOutput()
		if err == nil {
			return
		}
	}
	require.Fail(d.t, "cannot remount", "%s: %s", mode, said)
}

// outage checks that while the engine cannot write nothing is committed, nobody gives up, and all is made good afterwards.
func outage(t *testing.T, mb int, begin, end func(*disk), complaint string) {
	engine, disk := startOnDisk(t, mb)
	s := newStage(t, startKafka(t).Addrs(), engine.database(), 7)
	p := s.pipeline("a")
	s.send(2000)
	s.recounted(p)
	for range 2 {
		begin(disk)
		s.figures.faults++
		before := s.committed()
		s.send(2000)
		said := len(p.Log(t))
		require.Eventually(t, func() bool {
			p.Running(t)
			return bytes.Contains([]byte(p.Log(t))[said:], []byte(complaint))
		}, patience, 50*time.Millisecond, "the pipeline does not say %q", complaint)
		pass(3 * time.Second) // some tries
		require.Equal(t, before, s.committed(), "commits while nothing can be written")
		end(disk)
		s.recounted(p)
	}
	s.end(p)
}

//tidemark:proves "ClickHouse's disk is full or read-only": 1 3 5
func TestEngineOutOfDisk(t *testing.T) {
	outage(t, 96, (*disk).fill, (*disk).empty, "flush failed; trying again until it succeeds")
}

//tidemark:proves "ClickHouse's disk is full or read-only": 1 3 5
func TestEngineReadOnly(t *testing.T) {
	outage(t, 512, func(d *disk) { d.remount("ro") }, func(d *disk) { d.remount("rw") }, "flush failed; trying again until it succeeds")
}
