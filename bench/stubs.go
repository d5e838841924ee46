package main

import "runtime"

func cores() int { return runtime.NumCPU() }
