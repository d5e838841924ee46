package main

import "syscall"

// childAttributes let the kernel end a child when this process dies, however it does.
func childAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
