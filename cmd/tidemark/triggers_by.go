package main

import (
	"os"
	"os/user"
)

// signature is the flag of commands that keep who gave them.
type signature struct {
	By string `placeholder:"NAME" help:"Who says so; your name on this host unless it is given."`
}

// person is who gave the command.
func (s *signature) person() string {
	if s.By != "" {
		return s.By
	}
	name := "somebody"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if host, err := os.Hostname(); err == nil {
		name += "@" + host
	}
	return name
}
