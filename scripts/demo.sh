#!/bin/bash
# Shows the helper at work: on this machine's own PAM files, and behind an SSH
# service of the demo's own. The machine is not changed: everything happens in a
# mount namespace of its own, with a copy of /etc and empty /run, /home, /tmp and
# /var/log that vanish with it.
# Fails where a result is not the expected one. Called by make demo, as root.
#   demo-machine.sh  makes these private surroundings
#   demo-show.sh     runs commands, and looks at what comes of them
#   demo-ssh.sh      the SSH service, from its configuration to its end
set -euo pipefail
exec </dev/null # nothing is asked: answers come from here
umask 022

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

. "$repo/scripts/demo-machine.sh"
. "$repo/scripts/demo-show.sh"
. "$repo/scripts/demo-ssh.sh"

make_machine
trap 'show_log; end_terminal; end_node' EXIT
trap 'exit 1' HUP INT TERM

title "Debian's own login service, step by step (alice exists only in this demo)"
run 0 '^authenticate +PAM_SUCCESS' pamhelper try --answers right.txt login alice
run 1 '^authenticate +PAM_AUTH_ERR' pamhelper try --answers wrong.txt login alice

title "the same for a program to read"
run 0 '"step":"account","code":"PAM_SUCCESS"' pamhelper try --json --answers right.txt login alice

title "what the helper's built-in policy does not serve"
run 2 'refused by the helper: service "su" is not served' agent login --helper exec:bin/pamhelper --service su alice

title "the agent links nothing: neither libpam nor any other library"
run 0 . readelf -d bin/agent
! grep -q NEEDED output || failed "bin/agent needs a shared library"

title "a login as an agent makes it: the broker is root, the agent is not"
password() {
	wait_for asked
	note_agent
	types 'correct horse'
}
on_terminal 0 '^uid=[0-9]+\(alice\) .*\(demo\)' password \
	"pamhelper broker --user demo-agent -- $PWD/bin/agent login alice -- sh -c 'id; ulimit -a'"
expect 0 0 '^nofiles +4242$'

title "the agent while it waited for the password: its ids, no capabilities, no_new_privs"
run 0 "^Uid:	$(id -u demo-agent)	" cat agent.status
expect 0 0 '^CapEff:	0000000000000000$'
expect 0 0 '^NoNewPrivs:	1$'

show_ssh

echo
echo "demo: every result was the expected one"
