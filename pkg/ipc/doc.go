// Package ipc is how an agent logs people in through a pamhelper worker: it
// starts or reaches a worker, speaks the protocol of package pamhelperpb with
// it, and gives PAM's steps as method calls. It links no libpam and no C.
//
// A login is one Client:
//
//	client, err := ipc.Dial(ctx, ipc.Exec{Path: "/usr/local/sbin/pamhelper"}, ipc.Options{Conversation: terminal})
//	if err != nil { … }
//	defer client.Close()
//	_, err = client.Begin(ctx, ipc.Login{Service: "sshd", User: "alice", Rhost: "192.0.2.7"})
//	_, err = client.Authenticate(ctx)
//	if errors.Is(err, ipc.AuthErr) { … }
//	_, err = client.Do(ctx, ipc.Account, ipc.Credentials, ipc.OpenSession)
//	process, err := client.Start(ctx, ipc.Command{Terminal: &ipc.Terminal{Type: "xterm"}})
//	exit, err := process.Wait(ctx)
//
// Closing the connection at any point is safe: the worker undoes what was done.
//
// A worker comes from a Launcher: Broker asks the root process that started the
// agent, Unix connects to a socket of systemd, Exec starts the helper as a child.
// ParseLauncher makes one of what an administrator writes.
//
// The package does not decide who may log in, does not read PAM's files (see
// package pamstack) and does not retry: a second attempt is a second worker.
package ipc
