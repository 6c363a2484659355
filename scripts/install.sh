#!/bin/sh
# Installs what "make build" built, or removes it again. Nothing is enabled, started
# or configured.
# Usage: [DESTDIR=DIR] [prefix=DIR] scripts/install.sh install|uninstall
set -eu
# Directories are for everybody to read and for root to write, whoever installs.
umask 022
cd -P "$(dirname "$0")/.."

prefix=${prefix-/usr/local}
root=${DESTDIR-}
bin=${BIN-bin} # where the binaries are, for tests
# The command lines of units are words, which are these paths as they are.
case "$prefix" in
/*[!A-Za-z0-9/._+-]* | */../* | */..)
	echo "$0: prefix $prefix has characters that unit files do not take as they are; use A-Z a-z 0-9 / . _ + -" >&2
	exit 2
	;;
/*) ;;
*)
	echo "$0: prefix has to be an absolute path, such as /usr/local" >&2
	exit 2
	;;
esac

# files says what goes where: mode, source, target.
files() {
	cat <<-END
		755 $bin/pamhelper $prefix/sbin/pamhelper
		755 $bin/agent $prefix/bin/agent
		644 cmd/agent/agent.1 $prefix/share/man/man1/agent.1
		644 cmd/agent/agent.yaml.5 $prefix/share/man/man5/agent.yaml.5
		644 cmd/pamhelper/pamhelper-policy.5 $prefix/share/man/man5/pamhelper-policy.5
		644 cmd/pamhelper/pamhelper.8 $prefix/share/man/man8/pamhelper.8
		644 scripts/systemd/pamhelper.socket $prefix/lib/systemd/system/pamhelper.socket
		644 scripts/systemd/pamhelper@.service $prefix/lib/systemd/system/pamhelper@.service
		644 scripts/systemd/pamhelper-agent.service $prefix/lib/systemd/system/pamhelper-agent.service
		644 scripts/systemd/pamhelper-broker.service $prefix/lib/systemd/system/pamhelper-broker.service
		644 scripts/systemd/pamhelper.tmpfiles.conf $prefix/lib/tmpfiles.d/pamhelper.conf
		644 scripts/systemd/pamhelper.sysusers.conf $prefix/lib/sysusers.d/pamhelper.conf
	END
}

# put installs one file, in place of an old one that may be running.
put() {
	mkdir -p "$root${3%/*}"
	new=$root$3.new
	trap 'rm -f "$new"' EXIT
	trap 'exit 1' HUP INT TERM
	case "$2" in
	# The units are written for packages, whose prefix is /usr.
	scripts/systemd/*) sed "s:/usr/sbin/pamhelper:$prefix/sbin/pamhelper:g; s:/usr/bin/agent:$prefix/bin/agent:g" "$2" >"$new" ;;
	*) cp "$2" "$new" ;;
	esac
	chmod "$1" "$new"
	mv -f "$new" "$root$3"
	trap - EXIT
}

case "${1-}" in
install)
	for name in pamhelper agent; do
		[ -f "$bin/$name" ] && continue
		echo "$0: $bin/$name is not there; run: make build" >&2
		exit 1
	done
	files | while read -r mode source target; do
		put "$mode" "$source" "$target"
	done
	[ -z "$root" ] || exit 0
	cat <<-END
		installed below $prefix; nothing has been enabled or started. Next, as root:
		  systemd-sysusers pamhelper.conf && systemd-tmpfiles --create pamhelper.conf && systemctl daemon-reload
		then, with the agent's configuration in /etc/pamhelper/agent.yaml, one of:
		  systemctl enable --now pamhelper-agent.service    # workers from a socket of systemd: with helper: unix:/run/pamhelper.sock
		  systemctl enable --now pamhelper-broker.service   # workers from a broker; a port below 1024
		The host key is to be read by the group pamhelper-agent. What is missing:
		  setpriv --reuid pamhelper-agent --regid pamhelper-agent --clear-groups $prefix/bin/agent check
	END
	;;
uninstall)
	files | while read -r _ _ target; do
		rm -f "$root$target"
	done
	[ -z "$root" ] || exit 0
	cat <<-END
		removed. What is left: /etc/pamhelper, /run/pamhelper, and the user pamhelper-agent. Units that were enabled:
		  systemctl disable --now pamhelper.socket pamhelper-agent.service pamhelper-broker.service
	END
	;;
*)
	echo "usage: [DESTDIR=DIR] [prefix=DIR] $0 install|uninstall" >&2
	exit 2
	;;
esac
