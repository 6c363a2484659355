// Package realpam tests pamhelper and agent against Linux-PAM's own modules,
// Debian's service files and real shadow entries, and compares "pamhelper try"
// with pamtester, and the user's session with that of Debian's sshd. It has no
// code of its own.
//
// The tests run as root in a mount, PID and network namespace where /etc, /dev,
// /run, /tmp, /home and the changing parts of /var are copies: the machine is
// never changed. As anybody else they are skipped.
package realpam
