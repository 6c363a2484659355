#!/bin/sh
# Runs every fuzz target on a number of inputs: FUZZTIME=10000x by default. A
# number, not a time: go test reports the end of a time as a failure where it comes
# while an input runs.
set -eu
cd "$(dirname "$0")/.."

targets='
	pkg/ipc:FuzzReadFrame
	pkg/ipc/wire:FuzzDecodeRequest
	pkg/pamstack:FuzzLoad
	pkg/pamstack/check:FuzzAnyFileIsChecked
	pkg/pamstack/check:FuzzLinkerCacheIsReadWithoutPanic
	cmd/pamhelper/internal/worker:FuzzConnection
	cmd/pamhelper/internal/policy:FuzzParse
	cmd/agent/internal/config:FuzzConfig
	cmd/agent/internal/expression:FuzzExpression
	cmd/pamhelper/internal/userprocess:FuzzModes
'
for target in $targets; do
	go test -run '^$' -fuzz "^${target#*:}\$" -fuzztime "${FUZZTIME:-10000x}" -fuzzminimizetime 20x "./${target%:*}"
done
