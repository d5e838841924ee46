package main

//go:generate sh -c "cd ../../.. && go run ./internal/buildtools/licences > docs/licences.md"
