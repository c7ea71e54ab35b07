//go:build !cgo

// Command winnow is a quality gate for placements on Kafka.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "winnow: this binary was built without cgo and can't score: build it with make build")
	os.Exit(1)
}
