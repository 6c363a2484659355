# make demo and make test are all that a newcomer needs: they install what is
# missing (Debian, as root), build, and run.
.PHONY: demo test race build check generate bench fuzz clean

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

# Formatting, vet, staticcheck, generated code.
check:
	scripts/check.sh

generate:
	scripts/generate.sh

bench:
	scripts/deps.sh test
	go test -run '^$$' -bench . -benchmem ./...

# Each fuzz target for a few seconds.
fuzz:
	scripts/fuzz.sh

clean:
	rm -rf bin
