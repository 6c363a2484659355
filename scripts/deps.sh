#!/bin/sh
# Installs the system packages that a task needs and are not there.
# Usage: scripts/deps.sh build|demo|test|generate
set -eu

case "${1-}" in
build) want="gcc libc6-dev libpam0g-dev make ca-certificates" ;;
test) want="gcc libc6-dev libpam0g-dev make libpam-modules libpam-runtime login pamtester binutils passwd util-linux procps" ;;
demo) want="libpam-runtime libpam-modules login passwd mount util-linux bsdutils binutils" ;;
generate) want="protobuf-compiler" ;;
*)
	echo "usage: $0 build|demo|test|generate" >&2
	exit 2
	;;
esac

missing=
for p in $want; do
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null)" = installed ] || missing="$missing $p"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ]; then
	echo "$0: these packages are missing, and only root may install them; run: sudo apt-get install$missing" >&2
	exit 1
fi
echo "$0: installing$missing" >&2
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086 # the list is words
apt-get install -y -q --no-install-recommends $missing >/dev/null 2>&1 && exit 0
apt-get update -q >/dev/null
# shellcheck disable=SC2086
apt-get install -y -q --no-install-recommends $missing >/dev/null
