# Everything that is fetched or built lies in CACHE, outside the checkout, pinned and checksummed.
CACHE   ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/winnow
NATIVE  := $(CACHE)/native
GPU     := $(CACHE)/native-gpu
BROKER  := $(CACHE)/kafka
PYTHON  := $(CACHE)/python
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo development)

# The native code is compiled once by cargo; what cgo links is only its archive.
export CGO_ENABLED ?= 1
export CGO_LDFLAGS := -L$(NATIVE)
LIBRARY := WINNOW_ONNXRUNTIME=$(NATIVE)/libonnxruntime.so
OPERATORS := WINNOW_OPERATORS=$(NATIVE)/libwinnow_operators.so

REQUIREMENTS := model/training/requirements-test.txt deploy/requirements.txt

.DEFAULT_GOAL := help
.PHONY: prerequisites help demo build test test-unit test-native test-providers test-training test-broker fuzz lint native native-gpu clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: build ## the whole job on this machine: embedded broker, proposed placements, live verdicts
	@bin/winnow demo

build: native ## bin/winnow, with the libraries that it loads beside it
	@mkdir -p bin
	go build -trimpath -ldflags "-X main.version=$(VERSION)" -o bin/winnow ./cmd/winnow
	@for library in libonnxruntime.so libwinnow_operators.so; do \
		cmp -s $(NATIVE)/$$library bin/$$library || { cp $(NATIVE)/$$library bin/.$$library && mv bin/.$$library bin/$$library; } || exit 1; done

test: prerequisites test-unit test-native test-providers test-training test-broker lint ## everything that CI runs

# Every missing tool at once, before anything runs.
prerequisites:
	@missing=; check() { command -v $$1 >/dev/null || { echo "error: $$1 is missing: install $$2"; missing=1; }; }; \
	check go "Go 1.26 or newer (https://go.dev/dl)"; check cargo "Rust 1.85 or newer (https://rustup.rs)"; \
	check cc "a C compiler (Debian: build-essential)"; check c++ "a C++ compiler (Debian: build-essential)"; check python3 "Python 3.11 (Debian: python3 python3-pip python3-venv)"; \
	check java "a Java 17 runtime (Debian: default-jre-headless)"; check mvn "Maven (Debian: maven)"; check kcat "kcat (Debian: kcat)"; \
	python3 -c 'import ensurepip' 2>/dev/null || { echo "error: python3 lacks venv: install it (Debian: python3-venv)"; missing=1; }; \
	test -z "$$missing"

test-unit: ## seconds: no native library, no network
	@echo "== unit tests, without cgo"
	CGO_ENABLED=0 go test -count=1 ./...

test-native: native ## a minute or two: the real model, tokenizer and commands, under the race detector
	@echo "== native tests: tokenizer, engine, commands"
	$(LIBRARY) go test -count=1 -race ./model/... ./cmd/...
	$(LIBRARY) go test -count=1 -run MemoryIsFlat ./model/onnx # the race detector's own memory would hide a leak

test-providers: native native-gpu ## seconds: the GPU build of ONNX Runtime where no GPU is, and every option that its providers know
	@echo "== provider tests: the GPU build of ONNX Runtime"
	WINNOW_ONNXRUNTIME=$(GPU)/libonnxruntime.so $(OPERATORS) go test -count=1 -tags gpulibrary -run GPULibrary ./model/onnx

# What glibc hands out is filled (MALLOC_PERTURB_): a kernel that reads what nobody wrote is not saved by zeros.
test-training: native $(PYTHON)/.complete ## seconds: the graph builder, thresholds and data, without torch
	@echo "== training tests"
	cd model/training && $(PYTHON)/bin/ruff format --check . ../../bench && $(PYTHON)/bin/ruff check . ../../bench && MALLOC_PERTURB_=165 $(OPERATORS) $(PYTHON)/bin/pytest -q -p no:cacheprovider

test-broker: build ## three minutes: two replicas against a real Apache Kafka broker, one of them killed, and the pipeline bench
	@echo "== broker tests: winnow run as processes against Apache Kafka"
	@processor/processortest/broker/fetch $(BROKER)
	KAFKA_LIBS=$(BROKER) WINNOW_BINARY=$(CURDIR)/bin/winnow go test -count=1 -tags broker -timeout 15m -v -run TestRun_ ./cmd/winnow

fuzz: ## minutes of hostile bytes for the decoders and for the folding of text
	CGO_ENABLED=0 go test ./schema -run '^$$' -fuzz 'FuzzDecodeCandidate$$' -fuzztime 30s
	CGO_ENABLED=0 go test ./schema -run '^$$' -fuzz FuzzDecodeCandidateJSON -fuzztime 30s
	CGO_ENABLED=0 go test ./model/text -run '^$$' -fuzz FuzzFold -fuzztime 1m -fuzzminimizetime 1s

lint: native $(PYTHON)/.complete ## formatting, golangci-lint, hadolint
	@echo "== lint (the first run builds golangci-lint, about 3 minutes)"
	@test -z "$$(gofmt -l .)" || { echo "error: not formatted, run gofmt -w on:"; gofmt -l .; exit 1; }
	go tool -modfile=golangci-lint.mod golangci-lint run ./...
	$(PYTHON)/bin/hadolint deploy/Dockerfile deploy/Dockerfile.tensorrt

native: ## the three native libraries, into the cache
	@model/native/build $(NATIVE)

native-gpu: ## the GPU build of ONNX Runtime, 250 MB, into the cache
	@model/native/fetch-gpu $(GPU)

$(PYTHON)/.complete: $(REQUIREMENTS)
	@python3 -c 'import ensurepip' || { echo "error: python3 with venv is missing: install it (Debian: python3-venv)"; exit 1; }
	@echo "installing the Python packages of the tests into $(PYTHON)"
	@rm -rf $(PYTHON) && python3 -m venv $(PYTHON)
	@for file in $(REQUIREMENTS); do $(PYTHON)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r $$file || exit 1; done
	@touch $@

clean: ## remove bin/; the cache stays
	rm -rf bin
