package main

import (
	"fmt"
	"os"

	"github.com/pamhelper/pamhelper/pkg/ipc"
)

// defaultHelper is the broker that started the agent, where one did.
func defaultHelper() string {
	if _, found := os.LookupEnv(ipc.BrokerVariable); found {
		return "broker:"
	}
	return "exec:/usr/local/sbin/pamhelper"
}

// launcherOf reads --helper. The log of a helper that the agent starts itself goes
// to standard error.
func launcherOf(helper string) (ipc.Launcher, error) {
	launcher, err := ipc.ParseLauncher(helper)
	if err != nil {
		return nil, fmt.Errorf("--helper %w", err)
	}
	if started, ok := launcher.(ipc.Exec); ok {
		started.Log = os.Stderr
		return started, nil
	}
	return launcher, nil
}
