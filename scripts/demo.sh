#!/bin/bash
# Shows the helper at work on this machine's own PAM files, without changing the
# machine: everything happens in a mount namespace of its own, with copies of
# /etc and empty /run, /home and /var/log that vanish with it.
# Fails where a result is not the expected one. Called by make demo, as root.
set -euo pipefail
exec </dev/null # nothing is asked: answers come from files

if [ "$(id -u)" != 0 ]; then
	echo "$0: the demo makes a mount namespace and runs a login's PAM stack: run it as root, for example: sudo make demo" >&2
	exit 1
fi

repo=$(cd "$(dirname "$0")/.." && pwd)
if [ "${1-}" != --inside ]; then
	if ! unshare --mount true; then
		echo "$0: no mount namespace can be made here; in a container, give it CAP_SYS_ADMIN" >&2
		exit 1
	fi
	exec unshare --mount --propagation private "$repo/scripts/demo.sh" --inside
fi

# prepare makes the private surroundings and leaves us in a directory of them
# with the binaries in bin/.
prepare() {
	mount -t tmpfs -o mode=0755 tmpfs /run
	mkdir -m 0755 /run/demo
	cp -a "$repo/bin" /run/demo/bin
	cp -a /etc /run/demo/etc
	mount --bind /run/demo/etc /etc
	mount -t tmpfs -o mode=0755 tmpfs /home
	mount -t tmpfs -o mode=0755 tmpfs /var/log
	cd /run/demo

	rm -f /etc/nologin
	id alice >/dev/null 2>&1 || useradd --create-home --shell /bin/bash alice
	id demo-agent >/dev/null 2>&1 || useradd --system --no-create-home --home-dir / --shell /usr/sbin/nologin demo-agent
	getent group demo >/dev/null || groupadd demo
	usermod --append --groups demo alice
	echo 'alice - nofile 4242' >>/etc/security/limits.conf
	echo 'alice:correct horse' | chpasswd
	echo 'correct horse' >right.txt
	echo 'wrong horse' >wrong.txt
	chmod 0600 right.txt wrong.txt

	[ -e /etc/pam.d/sshd ] || cat >/etc/pam.d/sshd <<-END
		@include common-auth
		account  required  pam_nologin.so
		@include common-account
		session  required  pam_loginuid.so
		session  optional  pam_keyinit.so force revoke
		@include common-session
		session  required  pam_limits.so
		session  required  pam_env.so
		@include common-password
	END
}

failed() {
	echo "demo: $*" >&2
	exit 1
}

# run STATUS PATTERN COMMAND... shows a command and its output, and fails where
# it does not exit with the status or no line matches the pattern.
run() {
	local status=$1 pattern=$2 got=0
	shift 2
	echo
	echo "# $*"
	timeout 15 "$@" >output 2>&1 || got=$?
	cat output
	expect "$status" "$got" "$pattern"
}

expect() {
	[ "$1" = "$2" ] || failed "exit status $2, expected $1"
	grep -Eq -- "$3" output || failed "no line matches: $3"
}

# wait_for COMMAND... waits until a command succeeds, ten seconds at most.
wait_for() {
	local tries
	for ((tries = 0; tries < 200; tries++)); do
		! "$@" >/dev/null 2>&1 || return 0
		sleep 0.05
	done
	cat output
	failed "waited too long for: $*"
}

asked() { grep -q 'Password:' output && stty -F "$(cat terminal)" -a | grep -q -- ' -echo '; }

gone() { ! kill -0 "$1"; }

# note_agent writes down what the kernel says of the demo's agent: the child of the
# broker, which is that of script.
note_agent() {
	local pid
	pid=$(pgrep -P "$(pgrep -P "$login_pid")" -u demo-agent -x agent)
	grep -E '^(Name|Uid|Gid|Groups|Cap[A-Z][a-z]+|NoNewPrivs):' "/proc/$pid/status" >agent.status
}

# on_terminal STATUS PATTERN COMMAND runs a command line on a terminal of its own
# and types alice's password when it is asked for and not shown.
on_terminal() {
	local got=0
	echo
	echo "# $3"
	rm -f terminal keys
	: >output
	mkfifo -m 0600 keys
	exec 9<>keys
	script -qec "tty >terminal; exec $3" -E always /dev/null <keys >output 2>&1 9<&- &
	login_pid=$!
	wait_for asked
	note_agent
	cat right.txt >&9
	wait_for gone "$login_pid"
	wait "$login_pid" || got=$?
	login_pid=
	exec 9>&-
	tr -d '\r' <output >clean && mv clean output
	cat output
	expect "$1" "$got" "$2"
}

stop_login() {
	[ -n "$login_pid" ] || return 0
	exec 9>&-
	kill "$login_pid" && wait "$login_pid"
} 2>/dev/null

login_pid=
trap stop_login EXIT

prepare

echo "== Debian's own login service, step by step (alice exists only in this demo)"
run 0 '^authenticate +PAM_SUCCESS' bin/pamhelper try --answers right.txt login alice
run 1 '^authenticate +PAM_AUTH_ERR' bin/pamhelper try --answers wrong.txt login alice

echo
echo "== the same for a program to read"
run 0 '"step":"account","code":"PAM_SUCCESS"' bin/pamhelper try --json --answers right.txt login alice

echo
echo "== what the helper's built-in policy does not serve"
run 2 'refused by the helper: service "su" is not served' bin/agent login --helper exec:bin/pamhelper --service su alice

echo
echo "== the agent links nothing: neither libpam nor any other library"
run 0 . readelf -d bin/agent
! grep -q NEEDED output || failed "bin/agent needs a shared library"

echo
echo "== a login as an agent makes it: the broker is root, the agent is not"
on_terminal 0 '^uid=[0-9]+\(alice\) .*\(demo\)' \
	"bin/pamhelper broker --user demo-agent -- $PWD/bin/agent login alice -- sh -c 'id; ulimit -a'"
expect 0 0 '^nofiles +4242$'

echo
echo "== the agent while it waited for the password: its ids, no capabilities, no_new_privs"
run 0 "^Uid:	$(id -u demo-agent)	" cat agent.status
expect 0 0 '^CapEff:	0000000000000000$'
expect 0 0 '^NoNewPrivs:	1$'

echo
echo "demo: every result was the expected one"
