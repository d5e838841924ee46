package devclickhouse

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"tidemark/deploy/engine"
)

// ErrNoNPM means that the engine has to be fetched and there is no npm to ask where from.
var ErrNoNPM = errors.New("npm is not installed, and the ClickHouse engine comes as an npm package: " +
	"install Node.js (which has npm) once, or start a ClickHouse server yourself and give its address")

// stallLimit is how long a download may bring no byte.
const stallLimit = 60 * time.Second

// fetch loads the pinned tarball from the registry that the machine's npm is set up for (this program knows no registry's
// address), unpacks its library into dir and returns its path. It downloads directly, with progress; where only
// npm knows the way (a registry that wants a login, a proxy), npm downloads.
func fetch(ctx context.Context, dir string, pinned engine.Pinned, progress func(done, total int64)) (string, error) {
	address, err := resolve(ctx, pinned)
	if err != nil {
		return "", err
	}
	path, err := download(ctx, address, dir, pinned, progress)
	if err == nil || errors.Is(err, errIntegrity) || ctx.Err() != nil {
		return path, err
	}
	packed, packErr := pack(ctx, dir, pinned)
	if packErr != nil {
		return "", fmt.Errorf("download it: %w; then with npm pack: %w", err, packErr)
	}
	f, err := os.Open(packed)
	if err != nil {
		return "", err
	}
	defer f.Close() //nolint:errcheck // Only read.
	return unpack(f, dir, pinned, progress)
}

// resolve asks npm for the tarball's address, and that the registry serves the version that is pinned.
func resolve(ctx context.Context, pinned engine.Pinned) (string, error) {
	out, err := npm(ctx, "view", pinned.Package+"@"+pinned.Version, "dist.tarball", "dist.integrity", "--json")
	if err != nil {
		return "", err
	}
	var dist struct {
		Tarball   string `json:"dist.tarball"`
		Integrity string `json:"dist.integrity"`
	}
	if err := json.Unmarshal(out, &dist); err != nil {
		return "", fmt.Errorf("read npm's answer %q: %w", out, err)
	}
	if dist.Integrity != pinned.Integrity {
		return "", fmt.Errorf("%w: npm's registry offers %s, pinned is %s", errIntegrity, dist.Integrity, pinned.Integrity)
	}
	return dist.Tarball, nil
}

// pack lets npm download the tarball and returns its path.
func pack(ctx context.Context, dir string, pinned engine.Pinned) (string, error) {
	_, err := npm(ctx, "pack", pinned.Package+"@"+pinned.Version, "--ignore-scripts", "--pack-destination", dir)
	if err != nil {
		return "", err
	}
	found, err := filepath.Glob(filepath.Join(dir, "*.tgz"))
	if err != nil || len(found) != 1 {
		return "", fmt.Errorf("npm pack left %d tarballs in %s: %w", len(found), dir, err)
	}
	return found[0], nil
}

func npm(ctx context.Context, args ...string) ([]byte, error) {
	path, err := exec.LookPath("npm")
	if err != nil {
		return nil, fmt.Errorf("%w (%w)", ErrNoNPM, err)
	}
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("npm %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(stderr.String()))
	}
	return stdout.Bytes(), nil
}

func download(ctx context.Context, address, dir string, pinned engine.Pinned, progress func(done, total int64)) (string, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stall := time.AfterFunc(stallLimit, func() { cancel(fmt.Errorf("no byte came for %s", stallLimit)) })
	defer stall.Stop()

	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableKeepAlives = true
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return "", errors.Join(err, context.Cause(ctx))
	}
	defer resp.Body.Close() //nolint:errcheck // Only read.
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("the registry answers %s", resp.Status)
	}
	path, err := unpack(resp.Body, dir, pinned, func(done, total int64) {
		stall.Reset(stallLimit)
		if progress != nil {
			progress(done, total)
		}
	})
	if err != nil {
		return "", errors.Join(err, context.Cause(ctx))
	}
	return path, nil
}

// progressReader tells how far a read of total bytes has got.
type progressReader struct {
	io.Reader
	done, total int64
	report      func(done, total int64)
}

func (p *progressReader) Read(b []byte) (int, error) {
	n, err := p.Reader.Read(b)
	p.done += int64(n)
	if n > 0 && p.report != nil {
		p.report(p.done, p.total)
	}
	return n, err
}
