# make demo and make test are all that a newcomer needs: they install what is
# missing (Debian, as root), build, and run.
.PHONY: demo test race build install uninstall check generate bench microbench fuzz differential clean

demo: build
	scripts/deps.sh demo
	scripts/demo.sh

test: build
	scripts/deps.sh test
	go test ./...

race: build
	scripts/deps.sh test
	go test -race ./...

build:
	scripts/deps.sh build
	CGO_ENABLED=1 go build -trimpath -o bin/pamhelper ./cmd/pamhelper
	CGO_ENABLED=0 go build -trimpath -o bin/agent ./cmd/agent

# What make build built, with the units of systemd, below prefix. Nothing is enabled
# or started.
prefix ?= /usr/local
install uninstall:
	DESTDIR='$(DESTDIR)' prefix='$(prefix)' scripts/install.sh $@

# Formatting, vet, staticcheck, man pages, generated code.
check:
	scripts/check.sh

generate:
	scripts/generate.sh

# pamhelper beside what does the same without it, as root: one table, and bin/bench.json.
# BENCH=--quick takes a minute; BENCH='--row ssh --row rate' runs some rows, and
# BENCH=--help lists them.
BENCH ?=
bench: build
	scripts/deps.sh bench
	CGO_ENABLED=0 go build -trimpath -o bin/bench ./scripts/bench
	CGO_ENABLED=1 go build -trimpath -o bin/bare ./scripts/bench/peers/bare
	bin/bench $(BENCH)

# The parts alone: frames, the model of a stack, what tracing costs.
microbench:
	scripts/deps.sh test
	go test -run '^$$' -bench . -benchmem ./...

# Each fuzz target, on FUZZTIME inputs (10000x).
fuzz:
	scripts/fuzz.sh

# Random services through the real libpam and through the model of it: SERVICES
# of them, other ones for each SEED.
SERVICES ?= 50000
SEED ?= 1
differential:
	scripts/deps.sh test
	go test -run '^TestModelAgreesWithLibpam$$' -count=1 -timeout 1h -v ./pkg/pamstack -services $(SERVICES) -seed $(SEED)

clean:
	rm -rf bin
