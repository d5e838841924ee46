package config

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
)

// problems gathers what is wrong, each under its key.
type problems []error

func (p *problems) addf(key, format string, args ...any) {
	*p = append(*p, fmt.Errorf("%s: %w", key, fmt.Errorf(format, args...)))
}

func (p *problems) notEmpty(key, text string) {
	if text == "" {
		p.addf(key, "must not be empty")
	}
}

func (p *problems) atLeastOne(key string, n int) {
	if n < 1 {
		p.addf(key, "must be at least 1, not %d", n)
	}
}

func (p *problems) positive(key string, d time.Duration) {
	if d <= 0 {
		p.addf(key, "must be more than 0s, not %s", d)
	}
}

func (p *problems) notNegative(key string, d time.Duration) {
	if d < 0 {
		p.addf(key, "must not be negative, but is %s", d)
	}
}

func (p *problems) oneOf(key, text string, choices ...string) {
	if slices.Contains(choices, text) {
		return
	}
	named := slices.DeleteFunc(slices.Clone(choices), func(choice string) bool { return choice == "" })
	hint := "; choose one of " + strings.Join(named, ", ")
	if len(named) < len(choices) {
		hint += ", or leave it empty"
	}
	p.addf(key, "%q is unknown%s", text, hint)
}

// addresses checks a list of servers to dial.
func (p *problems) addresses(key string, addresses []string) {
	if len(addresses) == 0 {
		p.addf(key, "must name at least one host:port")
	}
	for _, address := range addresses {
		if host, port, err := net.SplitHostPort(address); err != nil || host == "" || !isPort(port) || port == "0" {
			p.addf(key, "%q is not host:port, such as 127.0.0.1:9092", address)
		}
	}
}

// listen checks an address to listen on; an empty host means all interfaces and port 0 one that the kernel chooses.
func (p *problems) listen(key, address string) {
	if _, port, err := net.SplitHostPort(address); err != nil || !isPort(port) {
		p.addf(key, "%q is not host:port, such as 127.0.0.1:8080", address)
	}
}

func isPort(text string) bool {
	_, err := strconv.ParseUint(text, 10, 16)
	return err == nil
}
