package loginrecord

import (
	"errors"
	"io/fs"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"
)

const longName = "name-of-forty-characters-that-does-not-f"

// pid has to be a living process: who(1) leaves out others.
var pid = os.Getpid()

var noon = time.Date(2026, 3, 4, 12, 0, 0, 123456789, time.UTC)

func login(user, line, host string) Entry {
	return Entry{User: user, UID: 1000, Line: line, Host: host, PID: pid, Time: noon, Session: 7}
}

func TestLoginIsShownByWhoLastAndLastlog(t *testing.T) {
	for _, host := range []string{"192.0.2.7", "2001:db8::7"} {
		t.Run(host, func(t *testing.T) {
			machine(t)
			mustRecord(t, Login, login("alice", "pts/3", host))
			wantShown(t, "alice pts/3 Mar 4 12:00 ("+host+")", "who")
			wantShown(t, "alice pts/3 Mar 4 12:00 "+host, "who", "--ips")
			wantShown(t, "alice pts/3 "+host+" Wed Mar 4 12:00:00 2026", "last", "-F", "-w")
			wantShown(t, "alice pts/3 "+host+" Wed Mar 4 12:00:00 2026", "last", "-F", "-w", "-i")
			wantShown(t, "alice pts/3 "+host+" Wed Mar 4 12:00:00 +0000 2026", "lastlog", "-u", "alice")
		})
	}
}

func TestLogoutEndsTheLoginOnItsTerminalOnly(t *testing.T) {
	machine(t)
	mustRecord(t, Login, login("alice", "pts/3", "192.0.2.7"))
	mustRecord(t, Login, login("alice", "/dev/pts/4", "192.0.2.7"))
	end := login("alice", "pts/3", "192.0.2.7")
	end.Time = noon.Add(5 * time.Minute)
	mustRecord(t, Logout, end)
	wantNotShown(t, "pts/3", "who")
	wantShown(t, "alice pts/4", "who")
	wantShown(t, "alice pts/3 192.0.2.7 Wed Mar 4 12:00:00 2026 - Wed Mar 4 12:05:00 2026 (00:05)", "last", "-F", "-w")
	wantNotShown(t, "alice pts/4 192.0.2.7 Wed Mar 4 12:00:00 2026 - Wed Mar 4 12:05:00", "last", "-F", "-w")
}

func TestNextLoginOnTheTerminalTakesTheEntry(t *testing.T) {
	machine(t)
	mustRecord(t, Login, login("alice", "pts/3", "192.0.2.7"))
	before, err := os.ReadFile("/run/utmp")
	if err != nil {
		t.Fatal(err)
	}
	mustRecord(t, Logout, login("alice", "pts/3", ""))
	mustRecord(t, Login, login("alice", "pts/3", ""))
	wantSize(t, "/run/utmp", int64(len(before)))
	wantShown(t, "alice pts/3 Mar 4 12:00", "who")
}

func TestFailedAttemptIsShownByLastb(t *testing.T) {
	machine(t)
	attempt := login("nobody-of-that-name", "", "2001:db8::7")
	mustRecord(t, Failed, attempt)
	wantShown(t, "nobody-of-that-name ssh:notty 2001:db8::7 Wed Mar 4 12:00:00 2026", "lastb", "-F", "-w")
	wantSize(t, "/var/log/wtmp", 0)
	wantSize(t, "/run/utmp", 0)
}

func TestLongNameIsCutToItsField(t *testing.T) {
	machine(t)
	mustRecord(t, Login, login(longName, "pts/3", "192.0.2.7"))
	mustRecord(t, Failed, login(longName, "", "192.0.2.7"))
	wantShown(t, longName[:32]+" pts/3 ", "who")
	wantShown(t, longName[:32]+" pts/3 192.0.2.7 ", "last", "-F", "-w")
	wantShown(t, longName[:32]+" ssh:notty 192.0.2.7 ", "lastb", "-F", "-w")
}

func TestLargeUIDMakesAHoleInLastlog(t *testing.T) {
	machine(t)
	const far = 4000000000
	e := login("far", "pts/3", "192.0.2.7")
	e.UID = far
	mustRecord(t, Login, e)
	info, err := os.Stat("/var/log/lastlog")
	if err != nil {
		t.Fatal(err)
	}
	if info.Size()%(far+1) != 0 || info.Size() == 0 {
		t.Errorf("size of lastlog: got %d, want a record times %d", info.Size(), int64(far+1))
	}
	if used := info.Sys().(*syscall.Stat_t).Blocks * 512; used > 64<<10 {
		t.Errorf("space of lastlog: got %d bytes, want it sparse", used)
	}
	wantShown(t, "far pts/3 192.0.2.7 Wed Mar 4 12:00:00 +0000 2026", "lastlog", "-u", "far")
}

func TestMissingFileIsNotCreatedAndTheOthersAreWritten(t *testing.T) {
	for path, as := range map[string]string{
		"/run/utmp": "/var/run/utmp", "/var/log/wtmp": "/var/log/wtmp", "/var/log/lastlog": "/var/log/lastlog",
	} {
		t.Run(path, func(t *testing.T) {
			machine(t)
			os.Remove(path)
			err := onMain(func() error { return Login(login("alice", "pts/3", "192.0.2.7")) })
			var about *fs.PathError
			if !errors.Is(err, fs.ErrNotExist) || !errors.As(err, &about) || about.Path != as {
				t.Errorf("login: got error %v, want that %s does not exist", err, as)
			}
			wantMissing(t, path)
			for other := range files {
				if info, err := os.Stat(other); other != path && other != "/var/log/btmp" && (err != nil || info.Size() == 0) {
					t.Errorf("%s: got nothing written, want the login", other)
				}
			}
		})
	}
}

func TestLogoutWithoutUtmpIsStillInWtmp(t *testing.T) {
	machine(t)
	os.Remove("/run/utmp")
	onMain(func() error { return Login(login("alice", "pts/3", "192.0.2.7")) })
	onMain(func() error { return Logout(login("alice", "pts/3", "")) })
	wantMissing(t, "/run/utmp")
	wantShown(t, "alice pts/3 192.0.2.7 Wed Mar 4 12:00:00 2026 - Wed Mar 4 12:00:00 2026 (00:00)", "last", "-F", "-w")
}

func TestLogoutOfNobodySaysSo(t *testing.T) {
	machine(t)
	err := onMain(func() error { return Logout(login("alice", "pts/3", "")) })
	if !errors.Is(err, ErrNoEntry) {
		t.Errorf("logout: got error %v, want %v", err, ErrNoEntry)
	}
}

func TestLogoutOnATerminalThatIsAnothersWritesNothing(t *testing.T) {
	machine(t)
	mustRecord(t, Login, login("alice", "pts/3", "192.0.2.7"))
	before, err := os.ReadFile("/var/log/wtmp")
	if err != nil {
		t.Fatal(err)
	}
	late := login("bob", "pts/3", "")
	late.PID++
	if err := onMain(func() error { return Logout(late) }); !errors.Is(err, ErrOther) {
		t.Errorf("logout: got error %v, want %v", err, ErrOther)
	}
	wantShown(t, "alice pts/3", "who")
	wantSize(t, "/var/log/wtmp", int64(len(before)))
}

func TestMissingBtmpIsNotCreated(t *testing.T) {
	machine(t)
	os.Remove("/var/log/btmp")
	err := onMain(func() error { return Failed(login("alice", "", "192.0.2.7")) })
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("failed attempt: got error %v, want %v", err, fs.ErrNotExist)
	}
	wantMissing(t, "/var/log/btmp")
}

func TestBtmpThatOthersCanSeeIsRefused(t *testing.T) {
	for name, expose := range map[string]func() error{
		"readable by all":     func() error { return os.Chmod("/var/log/btmp", 0o664) },
		"writable by all":     func() error { return os.Chmod("/var/log/btmp", 0o662) },
		"executable by group": func() error { return os.Chmod("/var/log/btmp", 0o670) },
		"not root's":          func() error { return os.Chown("/var/log/btmp", 1000, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			machine(t)
			if err := expose(); err != nil {
				t.Fatal(err)
			}
			err := onMain(func() error { return Failed(login("alice", "", "192.0.2.7")) })
			if !errors.Is(err, ErrExposed) {
				t.Errorf("failed attempt: got error %v, want %v", err, ErrExposed)
			}
			wantSize(t, "/var/log/btmp", 0)
		})
	}
}

func TestTornRecordAtTheEndIsReplaced(t *testing.T) {
	machine(t)
	for _, path := range []string{"/run/utmp", "/var/log/wtmp"} {
		if err := os.WriteFile(path, []byte("torn"), 0o664); err != nil {
			t.Fatal(err)
		}
	}
	mustRecord(t, Login, login("alice", "pts/3", "192.0.2.7"))
	wantShown(t, "alice pts/3", "who")
	wantShown(t, "alice pts/3 192.0.2.7", "last", "-F", "-w")
}

func TestSIGALRMIsGoAgainAfterwards(t *testing.T) {
	machine(t)
	alarms := make(chan os.Signal, 1)
	signal.Notify(alarms, syscall.SIGALRM)
	defer signal.Stop(alarms)
	mustRecord(t, Login, login("alice", "pts/3", "192.0.2.7"))
	mustRecord(t, Logout, login("alice", "pts/3", ""))
	select {
	case <-alarms:
		t.Fatal("SIGALRM while recording: got one, want none")
	default:
	}
	if err := syscall.Kill(pid, syscall.SIGALRM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-alarms:
	case <-time.After(10 * time.Second):
		t.Error("SIGALRM after recording: got none, want Go's handler to have it")
	}
}

func TestOtherThreadsAreRefused(t *testing.T) {
	for name, f := range map[string]func(Entry) error{"Login": Login, "Logout": Logout, "Failed": Failed} {
		if err := f(login("alice", "pts/3", "")); !errors.Is(err, ErrThread) {
			t.Errorf("%s: got error %v, want %v", name, err, ErrThread)
		}
	}
}

func TestLoginWithoutTerminalIsRefused(t *testing.T) {
	for name, f := range map[string]func(Entry) error{"Login": Login, "Logout": Logout} {
		err := onMain(func() error { return f(login("alice", "/dev/", "")) })
		if !errors.Is(err, ErrNoLine) {
			t.Errorf("%s: got error %v, want %v", name, err, ErrNoLine)
		}
	}
}
