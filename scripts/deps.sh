#!/bin/sh
# Installs the system packages that a task needs and are not there.
# Usage: scripts/deps.sh build|demo|test|bench|check|generate
set -eu

case "${1-}" in
build) want="gcc libc6-dev libpam0g-dev make ca-certificates" ;;
test) want="gcc libc6-dev libpam0g-dev make libpam-modules libpam-runtime login pamtester binutils passwd util-linux procps openssh-server openssh-client git libpam-systemd dbus-daemon keyutils xauth systemd iproute2 putty-tools dropbear-bin libpam-google-authenticator libpam-oath oathtool fail2ban" ;;
bench) want="gcc libc6-dev libpam0g-dev make ca-certificates libpam-modules libpam-runtime login passwd pamtester openssh-server openssh-client sasl2-bin" ;;
demo) want="libpam-runtime libpam-modules login passwd mount util-linux bsdutils binutils procps openssh-client libpam-oath oathtool" ;;
check) want="mandoc" ;;
generate) want="protobuf-compiler" ;;
*)
	echo "usage: $0 build|demo|test|bench|check|generate" >&2
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

# The tests start servers of their own: the machine's is not to run because of
# them, now or after the next start.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
	trap 'rm -f $policy' EXIT
	trap 'exit 1' HUP INT TERM
	printf '#!/bin/sh\nexit 101\n' >$policy
	chmod 755 $policy
fi
install_missing() {
	# shellcheck disable=SC2086 # the list is words
	apt-get install -y -q --no-install-recommends $missing >/dev/null || return
	case "$missing " in
	*" openssh-server "*) update-rc.d ssh disable ;;
	esac
	case "$missing " in
	*" sasl2-bin "*) update-rc.d saslauthd disable ;;
	esac
	case "$missing " in
	*" fail2ban "*) update-rc.d fail2ban disable ;;
	esac
}
install_missing 2>/dev/null && exit 0
apt-get update -q >/dev/null
install_missing
