package loginrecord

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"reflect"
	"testing"
	"time"
)

// utmp is a record of utmp, wtmp and btmp on amd64 (utmp(5)).
type utmp struct {
	Type     int16
	_        [2]byte
	PID      int32
	Line     [32]byte
	ID       [4]byte
	User     [32]byte
	Host     [256]byte
	Exit     [4]byte
	Session  int32
	Sec      int32
	Usec     int32
	Address  [16]byte
	Reserved [20]byte
}

// The wanted records are those that sshd 9.2 of Debian 12 was seen to write,
// which has them from login(3), logout(3) and logwtmp(3), except the session.

func TestRecordsOfALoginHaveTheLayoutOfSSHD(t *testing.T) {
	v4 := [16]byte{192, 0, 2, 7}
	v6 := [16]byte{0x20, 1, 0xd, 0xb8, 15: 7}
	for _, c := range []struct {
		host, wantHost string
		address        [16]byte
	}{
		{"192.0.2.7", "192.0.2.7", v4},
		{"::ffff:192.0.2.7", "192.0.2.7", v4},
		{"2001:db8::7", "2001:db8::7", v6},
		{"", "", [16]byte{}},
	} {
		t.Run(c.host, func(t *testing.T) {
			machine(t)
			mustRecord(t, Login, login("alice", "pts/3", c.host))
			want := utmp{Type: 7, PID: int32(pid), Session: 7, Sec: int32(noon.Unix()), Usec: 123456, Address: c.address}
			copy(want.Line[:], "pts/3")
			copy(want.ID[:], "ts/3")
			copy(want.User[:], "alice")
			copy(want.Host[:], c.wantHost)
			wantRecords(t, "/run/utmp", want)
			wantRecords(t, "/var/log/wtmp", want)
		})
	}
}

func TestRecordsOfALogoutHaveTheLayoutOfSSHD(t *testing.T) {
	machine(t)
	in := login("alice", "pts/3", "192.0.2.7")
	mustRecord(t, Login, in)
	loggedIn := readRecords(t, "/var/log/wtmp")[0]
	out := in
	out.Session, out.Time = 0, noon.Add(1e9)
	mustRecord(t, Logout, out)

	kept := utmp{Type: 8, PID: int32(pid), Line: loggedIn.Line, ID: loggedIn.ID, Session: 7,
		Sec: loggedIn.Sec + 1, Usec: loggedIn.Usec, Address: loggedIn.Address}
	wantRecords(t, "/run/utmp", kept)
	ended := utmp{Type: 8, PID: int32(pid), Line: loggedIn.Line, Sec: kept.Sec, Usec: kept.Usec}
	wantRecords(t, "/var/log/wtmp", loggedIn, ended)
}

func TestRecordOfAnAttemptHasTheLayoutOfSSHD(t *testing.T) {
	machine(t)
	mustRecord(t, Failed, login(longName, "pts/3", "192.0.2.7"))
	want := utmp{Type: 6, PID: int32(pid), Sec: int32(noon.Unix()), Address: [16]byte{192, 0, 2, 7}}
	copy(want.Line[:], "ssh:notty")
	copy(want.User[:], longName)
	copy(want.Host[:], "192.0.2.7")
	wantRecords(t, "/var/log/btmp", want)
}

func TestTimeThatARecordCannotHoldIsRefused(t *testing.T) {
	for _, when := range []time.Time{{}, time.Unix(1<<31, 0)} {
		machine(t)
		e := login("alice", "pts/3", "192.0.2.7")
		e.Time = when
		if err := onMain(func() error { return Login(e) }); !errors.Is(err, ErrTime) {
			t.Errorf("login at %v: got error %v, want %v", when, err, ErrTime)
		}
		for path := range files {
			wantSize(t, path, 0)
		}
	}
}

func readRecords(t *testing.T, path string) []utmp {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	records := make([]utmp, len(data)/binary.Size(utmp{}))
	if err := binary.Read(bytes.NewReader(data), binary.LittleEndian, &records); err != nil {
		t.Fatal(err)
	}
	return records
}

func wantRecords(t *testing.T, path string, want ...utmp) {
	t.Helper()
	if got := readRecords(t, path); !reflect.DeepEqual(got, want) {
		t.Errorf("%s: got\n%+v\nwant\n%+v", path, got, want)
	}
}
