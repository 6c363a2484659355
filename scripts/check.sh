#!/bin/sh
# The checks besides tests. Tools are those that go.mod pins, and mandoc.
set -eu
cd "$(dirname "$0")/.."

unformatted=$(git ls-files '*.go' | grep -v '\.pb\.go$' | xargs gofmt -l)
if [ -n "$unformatted" ]; then
	echo "check: run gofmt -w on:" >&2
	echo "$unformatted" >&2
	exit 1
fi
go vet ./...
go tool staticcheck ./...
go mod tidy -diff
scripts/deps.sh check
git ls-files '*.[0-9]' | xargs mandoc -T lint -W warning
scripts/generate.sh --check
