package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

type readyCmd struct {
	Timeout time.Duration `default:"3s" help:"How long to wait for the answer."`
}

// Run asks the process that runs on this host with the same configuration whether it is ready: the health check of a
// container that has no shell and no curl.
func (c *readyCmd) Run(ctx context.Context, g *globals) error {
	cfg, err := g.load()
	if err != nil {
		return err
	}
	address, err := onThisHost(cfg.Admin.Listen)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	url := "http://" + address + "/readyz"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("not ready: %w", err)
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	said, err := io.ReadAll(io.LimitReader(resp.Body, 4096))
	if err != nil {
		return fmt.Errorf("not ready: %s: %w", url, err)
	}
	if resp.StatusCode != http.StatusOK {
		return errors.New("not ready: " + string(said))
	}
	_, err = g.stdout.Write(said)
	return err
}
