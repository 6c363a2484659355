# How the demo runs a command, shows it with what it prints, and looks whether that
# is what was expected. Sourced by demo.sh. The last output is in the file output.

title() { printf '\n== %s\n' "$*"; }

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

gone() { ! kill -0 "$1"; }

# on_terminal STATUS PATTERN DIALOGUE COMMAND runs a command line on a terminal of
# its own, and meanwhile the function DIALOGUE, which waits for questions and types.
on_terminal() {
	local got=0
	echo
	echo "# $4"
	rm -f terminal keys
	: >output
	mkfifo -m 0600 keys
	exec 9<>keys
	TERM=dumb script -qec "tty >terminal; exec $4" -E always /dev/null <keys >output 2>&1 9<&- &
	terminal_pid=$!
	"$3"
	wait_for gone "$terminal_pid"
	wait "$terminal_pid" || got=$?
	terminal_pid=
	exec 9>&-
	tr -d '\r' <output >clean && mv clean output
	cat output
	expect "$1" "$got" "$2"
}

# shown PATTERN waits until the terminal's last line matches.
shown() { wait_for last_line "$1"; }

last_line() { tail -n 1 output | grep -Eq -- "$1"; }

# types LINE types it, and Enter.
types() { printf '%s\n' "$1" >&9; }

asked() { shown 'Password:' && stty -F "$(cat terminal)" -a | grep -q -- ' -echo '; }

# agents prints the ids of the demo's agents. Others may have the same uid, but not
# the demo's mounts.
agents() { pgrep --ns $$ --nslist mnt -u demo-agent -x agent; }

# note_agent writes down what the kernel says of the demo's agent.
note_agent() {
	local pid
	pid=$(agents)
	grep -E '^(Name|Uid|Gid|Groups|Cap[A-Z][a-z]+|NoNewPrivs):' "/proc/$pid/status" >agent.status
}

terminal_pid=

end_terminal() {
	[ -n "$terminal_pid" ] || return 0
	exec 9>&-
	kill "$terminal_pid" && wait "$terminal_pid"
	return 0
} 2>/dev/null
