package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/pamhelper/pamhelper/cmd/agent/internal/config"
	"github.com/pamhelper/pamhelper/cmd/agent/internal/confine"
	"github.com/pamhelper/pamhelper/cmd/agent/internal/node"
	"github.com/pamhelper/pamhelper/pkg/ipc"
)

// service is the SSH service as it was asked for.
type service struct {
	file string // the configuration
}

func runCommand() *cobra.Command {
	var s service
	cmd := &cobra.Command{
		Use:   "run [--config FILE]",
		Short: "Serve SSH logins through the helper",
		Long: `Serve SSH: every login goes through the helper, and so through PAM. The agent is
started by "pamhelper broker", or reaches the helper over a socket of systemd.

SIGTERM and SIGINT stop listening and let sessions end for drain_timeout; a second
one ends them at once. SIGHUP reads the configuration again, for new connections:
one that is not right is refused, and the old one stays.

Exit status: 0 after SIGTERM; 1 where the service could not start or go on; 2 usage
or a configuration that is not right.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return s.run() },
	}
	cmd.Flags().StringVar(&s.file, "config", config.DefaultFile, "the configuration `file`")
	return cmd
}

func (s service) run() error {
	if err := confine.RefuseRoot(); err != nil {
		return &exitError{exitNoService, err}
	}
	conf, err := load(s.file)
	if err != nil {
		return err
	}
	log := newLog(os.Stderr, conf.Log)
	launcher, gone, err := helperOf(conf)
	if err != nil {
		return &exitError{exitNoService, err}
	}
	settings, err := settingsOf(conf, launcher)
	if err != nil {
		return err
	}
	listeners, err := listenersOf(conf.SSH.ListenAddr)
	if err != nil {
		return &exitError{exitNoService, err}
	}
	// From here on there are bytes of the network.
	if err := confined(conf, log); err != nil {
		return &exitError{exitNoService, err}
	}
	n := node.New(log, settings)
	ctx, now := s.heed(log, n, conf, launcher, gone)
	for _, l := range listeners {
		log.Info("listening", "on", l.Addr().String())
	}
	if err := n.Serve(ctx, listeners, now); err != nil {
		return &exitError{exitNoService, err}
	}
	log.Info("ended")
	if errors.Is(context.Cause(ctx), ipc.ErrBrokerGone) {
		return &exitError{exitNoService, ipc.ErrBrokerGone}
	}
	return nil
}

// heed does what signals say, for the rest of the program. ctx ends where the
// service is to end; now is closed where it is to end at once.
func (s service) heed(log *slog.Logger, n *node.Node, conf *config.Config, launcher ipc.Launcher, gone <-chan struct{}) (context.Context, <-chan struct{}) {
	ctx, end := context.WithCancelCause(context.Background())
	now := make(chan struct{})
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	signal.Ignore(syscall.SIGPIPE)
	go func() {
		for {
			select {
			case <-gone:
				log.Error("the broker is gone: ending")
				end(ipc.ErrBrokerGone)
				gone = nil
			case sig := <-signals:
				switch {
				case sig == syscall.SIGHUP:
					s.reload(log, n, conf, launcher)
				case ctx.Err() == nil:
					log.Info("ending: no new connections", "signal", sig.String())
					end(&interruptedError{sig.(syscall.Signal)})
				default:
					close(now)
					return
				}
			}
		}
	}()
	return ctx, now
}

// reload reads the configuration again.
func (s service) reload(log *slog.Logger, n *node.Node, began *config.Config, launcher ipc.Launcher) {
	conf, err := load(s.file)
	if err == nil && (conf.SSH.ListenAddr != began.SSH.ListenAddr || conf.Helper != began.Helper || conf.Log != began.Log) {
		err = errors.New("ssh_service.listen_addr, helper and log cannot be changed without a restart")
	}
	var settings *node.Settings
	if err == nil {
		settings, err = settingsOf(conf, launcher)
	}
	if errors.Is(err, fs.ErrPermission) {
		err = fmt.Errorf("%w; where agent check can read it as this user, it is outside of the directories that the service began with, which then needs a restart", err)
	}
	if err != nil {
		log.Error("configuration refused, the old one stays", "why", err.Error())
		return
	}
	n.Replace(settings)
	log.Info("configuration read, for new connections")
}

// load reads the configuration of a service that is to run.
func load(file string) (*config.Config, error) {
	conf, err := config.Load(file)
	if err != nil {
		return nil, err
	}
	if err := conf.Ready(); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return conf, nil
}
