// Package systemd tests the units in this directory, and what installs them. It has
// no code of its own. That they do what they say is tested under a real systemd in
// cmd/pamhelper/realpam.
package systemd
