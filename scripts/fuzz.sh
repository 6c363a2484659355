#!/bin/sh
# Runs every fuzz target for a few seconds: FUZZTIME=5s by default.
set -eu
cd "$(dirname "$0")/.."

for target in pkg/ipc:FuzzReadFrame cmd/pamhelper/internal/worker:FuzzConnection; do
	go test -run '^$' -fuzz "^${target#*:}\$" -fuzztime "${FUZZTIME:-5s}" "./${target%:*}"
done
