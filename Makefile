# Everything that is fetched or built lies in CACHE, outside the checkout, pinned and checksummed.
CACHE   ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/winnow
NATIVE  := $(CACHE)/native
BROKER  := $(CACHE)/kafka
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo development)

# The native code is compiled once by cargo; what cgo links is only its archive.
export CGO_ENABLED ?= 1
export CGO_LDFLAGS := -L$(NATIVE)
NATIVE_ENVIRONMENT := WINNOW_ONNXRUNTIME=$(NATIVE)/libonnxruntime.so

.DEFAULT_GOAL := help
.PHONY: help demo build test test-unit test-native test-broker fuzz lint native clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: build ## the whole job on this machine: embedded broker, real candidates, live verdicts
	@bin/winnow demo

build: native ## bin/winnow, with ONNX Runtime's library beside it
	@mkdir -p bin
	go build -trimpath -ldflags "-X main.version=$(VERSION)" -o bin/winnow ./cmd/winnow
	@cp -u $(NATIVE)/libonnxruntime.so bin/

test: lint test-unit test-native test-broker ## everything that CI runs

test-unit: ## seconds: no native library, no network
	@echo "== unit tests, without cgo"
	CGO_ENABLED=0 go test -count=1 ./...

test-native: native ## minutes: the real model on ONNX Runtime and the real tokenizer
	@echo "== native tests: tokenizer, engine, commands"
	$(NATIVE_ENVIRONMENT) go test -race ./model/... ./cmd/...

test-broker: build ## minutes: two replicas against a real Apache Kafka broker, one of them killed
	@echo "== broker tests: winnow run as processes against Apache Kafka"
	@processor/processortest/broker/fetch $(BROKER)
	KAFKA_LIBS=$(BROKER) WINNOW_BINARY=$(CURDIR)/bin/winnow go test -count=1 -tags broker -timeout 15m -v -run TestRun_ ./cmd/winnow

fuzz: ## a minute of hostile bytes for the decoder
	CGO_ENABLED=0 go test -count=1 ./...ema -run '^$$' -fuzz FuzzDecodeCandidate -fuzztime 1m

lint: native ## formatting, go vet, golangci-lint
	@echo "== lint"
	@test -z "$$(gofmt -l .)" || { echo "error: not formatted, run gofmt -w:"; gofmt -l .; exit 1; }
	go tool -modfile=golangci-lint.mod golangci-lint run ./...

native: ## the two native libraries, into the cache
	@model/native/build $(NATIVE)

clean: ## remove bin/; the cache stays
	rm -rf bin
