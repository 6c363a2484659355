#!/bin/sh
# Generates the Go code of proto/ with pinned tools. With --check nothing is
# written: it fails when the committed code differs from what the schema gives.
set -eu
cd "$(dirname "$0")/.."
scripts/deps.sh generate
schemas='pamhelper record policy broker'

tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
# The plugin of the very module version that go.mod names.
go build -o "$tools/" google.golang.org/protobuf/cmd/protoc-gen-go

out=.
[ "${1-}" != --check ] || out=$tools
PATH="$tools:$PATH" protoc --go_out="$out" --go_opt=module=github.com/pamhelper/pamhelper $(printf 'proto/%s.proto ' $schemas)

[ "${1-}" = --check ] || exit 0
# Another patch release of protoc writes another version into the comment on top.
for schema in $schemas; do
	if ! diff -I '^// 	protoc ' "proto/$schema.pb.go" "$tools/proto/$schema.pb.go"; then
		echo "generate: proto/$schema.pb.go is not what proto/$schema.proto gives; run: make generate" >&2
		exit 1
	fi
done
