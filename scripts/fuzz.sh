#!/bin/sh
# Runs every fuzz target for a few seconds: FUZZTIME=5s by default.
set -eu
cd "$(dirname "$0")/.."

for target in pkg/ipc:FuzzReadFrame cmd/pamhelper/internal/worker:FuzzConnection pkg/pamstack:FuzzLoad \
	pkg/pamstack/check:FuzzAnyFileIsChecked pkg/pamstack/check:FuzzLinkerCacheIsReadWithoutPanic; do
	go test -run '^$' -fuzz "^${target#*:}\$" -fuzztime "${FUZZTIME:-5s}" -fuzzminimizetime 20x "./${target%:*}"
done
