package notify

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"tidemark/schemas/secret"
)

// credential is a secret, or several, that stands in the configuration or in a file. The file is read each time, so that a new
// secret counts with the next message and nothing has to be restarted.
type credential struct {
	name   string // its key, for errors
	values []secret.Secret
	file   string // one a line
}

func newCredential(name, file string, values ...secret.Secret) credential {
	c := credential{name: name, file: file}
	for _, v := range values {
		if v.IsSet() {
			c.values = append(c.values, v)
		}
	}
	return c
}

// all returns the secrets, of which there is one at least.
func (c credential) all() ([]string, error) {
	var out []string
	for _, v := range c.values {
		out = append(out, v.Reveal())
	}
	if c.file != "" {
		if len(out) > 0 {
			return nil, fmt.Errorf("%s and %s_file are both set; keep one", c.name, c.name)
		}
		data, err := os.ReadFile(c.file)
		if err != nil {
			return nil, fmt.Errorf("%s_file: %w", c.name, err)
		}
		for line := range strings.Lines(string(data)) {
			if line = strings.TrimSpace(line); line != "" {
				out = append(out, line)
			}
		}
		if len(out) == 0 {
			return nil, fmt.Errorf("%s_file: %s is empty; write the secret into it", c.name, c.file)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s: is not set; set %s_file to a file that holds it", c.name, c.name)
	}
	return out, nil
}

// one returns the only secret.
func (c credential) one() (string, error) {
	all, err := c.all()
	if err == nil && len(all) > 1 {
		err = errors.New(c.name + "_file: has several lines; keep one")
	}
	if err != nil {
		return "", err
	}
	return all[0], nil
}
