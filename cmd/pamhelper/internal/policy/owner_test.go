package policy

import (
	"encoding/binary"
	"fmt"
	"os"
	"path"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/proto"
)

const somebody = 4711 // a uid that is not root's

// inPrivateEtc runs f where /etc is empty and for f alone. It has a thread of its
// own, which ends with it.
func inPrivateEtc(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, for files of other users and a mount namespace")
	}
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and not unlocked: the thread is not used again
		err := privateEtc()
		done <- err
		if err == nil {
			defer close(done)
			f(t)
		}
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	<-done
}

func privateEtc() error {
	if err := unix.Unshare(unix.CLONE_NEWNS | unix.CLONE_FS); err != nil {
		return fmt.Errorf("unshare the mount namespace: %w", err)
	}
	unix.Umask(0)
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	if err := unix.Mount("tmpfs", "/etc", "tmpfs", 0, "mode=0755"); err != nil {
		return fmt.Errorf("replace /etc: %w", err)
	}
	return unix.Chdir("/")
}

// scene makes files. What it cannot make ends the test.
type scene struct{ t *testing.T }

func (s scene) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Error(err)
		runtime.Goexit()
	}
}

func (s scene) dir(name string, mode uint32)   { s.must(unix.Mkdir(name, mode)) }
func (s scene) chmod(name string, mode uint32) { s.must(unix.Chmod(name, mode)) }
func (s scene) chown(name string, uid int)     { s.must(unix.Chown(name, uid, 0)) }
func (s scene) link(target, name string)       { s.must(os.Symlink(target, name)) }
func (s scene) node(name string, kind uint32) {
	s.must(unix.Mknod(name, kind|0o644, int(unix.Mkdev(1, 3))))
}
func (s scene) write(name, text string)           { s.must(os.WriteFile(name, []byte(text), 0o644)) }
func (s scene) policy(dir string)                 { s.write(path.Join(dir, "policy.textproto"), sshd) }
func (s scene) truncate(name string, size int64)  { s.must(os.Truncate(name, size)) }
func (s scene) good()                             { s.dir("/etc/pamhelper", 0o755); s.policy("/etc/pamhelper") }
func (s scene) xattr(name, attr string, v []byte) { s.must(unix.Setxattr(name, attr, v, 0)) }

// accessList lets a user write, beside the owner (acl(5), as the kernel has it in
// an extended attribute: tag, permissions, id).
func accessList(uid uint32) []byte {
	const none = ^uint32(0)
	list := binary.LittleEndian.AppendUint32(nil, 2)
	for _, e := range []struct {
		tag, perm uint16
		id        uint32
	}{{0x01, 6, none}, {0x02, 6, uid}, {0x04, 4, none}, {0x10, 6, none}, {0x20, 4, none}} {
		list = binary.LittleEndian.AppendUint16(list, e.tag)
		list = binary.LittleEndian.AppendUint16(list, e.perm)
		list = binary.LittleEndian.AppendUint32(list, e.id)
	}
	return list
}

func TestPolicyIsReadOnlyWhereRootAloneCanHaveWrittenIt(t *testing.T) {
	t.Parallel()
	const loc = Location
	for _, test := range []struct {
		name    string
		arrange func(s scene)
		load    string // "" for the usual place
		want    string // the error; "" for none
	}{
		{name: "in its place", arrange: scene.good},
		{name: "named", arrange: scene.good, load: loc},
		{name: "named by a way with dots", arrange: scene.good, load: "/etc/./pamhelper/../pamhelper//policy.textproto"},
		{name: "read by its owner alone", arrange: func(s scene) { s.good(); s.chmod(loc, 0o600) }},
		{name: "not there", arrange: func(s scene) { s.dir("/etc/pamhelper", 0o755) }},
		{name: "nor its directory", arrange: func(scene) {}},
		{name: "named, and not there", arrange: func(scene) {}, load: loc,
			want: loc + ": does not exist: there is no /etc/pamhelper"},
		{name: "named, and not there in its directory", arrange: func(s scene) { s.dir("/etc/pamhelper", 0o755) }, load: loc,
			want: loc + ": does not exist"},
		{name: "not there, where others could put it", arrange: func(s scene) { s.dir("/etc/pamhelper", 0o777) },
			want: loc + ": /etc/pamhelper: can be written by its group and everybody, and only root may write a directory on the way to a policy; run: chmod go-w /etc/pamhelper"},
		{name: "of somebody", arrange: func(s scene) { s.good(); s.chown(loc, somebody) },
			want: loc + ": belongs to uid 4711, and only root may own a policy; run: chown root " + loc},
		{name: "written by its group", arrange: func(s scene) { s.good(); s.chmod(loc, 0o664) },
			want: loc + ": can be written by its group, and only root may write a policy; run: chmod go-w " + loc},
		{name: "written by everybody", arrange: func(s scene) { s.good(); s.chmod(loc, 0o646) },
			want: loc + ": can be written by everybody, and only root may write a policy; run: chmod go-w " + loc},
		{name: "written by who is on an access list", arrange: func(s scene) { s.good(); s.xattr(loc, "system.posix_acl_access", accessList(somebody)) },
			want: loc + ": can be written by its group, and only root may write a policy; run: chmod go-w " + loc},
		{name: "in a directory of somebody", arrange: func(s scene) { s.good(); s.chown("/etc/pamhelper", somebody) },
			want: loc + ": /etc/pamhelper: belongs to uid 4711, and only root may own a directory on the way to a policy; run: chown root /etc/pamhelper"},
		{name: "in a directory that its group writes", arrange: func(s scene) { s.good(); s.chmod("/etc/pamhelper", 0o775) },
			want: loc + ": /etc/pamhelper: can be written by its group, and only root may write a directory on the way to a policy; run: chmod go-w /etc/pamhelper"},
		{name: "in a sticky directory", arrange: func(s scene) { s.good(); s.chmod("/etc/pamhelper", 0o1777) },
			want: loc + ": /etc/pamhelper: can be written by its group and everybody, and only root may write a directory on the way to a policy; run: chmod go-w /etc/pamhelper"},
		{name: "in somebody's home", arrange: func(s scene) { s.dir("/etc/home", 0o755); s.policy("/etc/home"); s.chown("/etc/home", somebody) },
			load: "/etc/home/policy.textproto",
			want: "/etc/home/policy.textproto: /etc/home: belongs to uid 4711, who could put another file or directory there; keep the policy elsewhere, such as in /etc/pamhelper"},
		{name: "a file with odd characters in its name", arrange: func(s scene) {
			s.dir("/etc/pamhelper", 0o755)
			s.write("/etc/pamhelper/a b'c", sshd)
			s.chmod("/etc/pamhelper/a b'c", 0o664)
		}, load: "/etc/pamhelper/a b'c",
			want: `/etc/pamhelper/a b'c: can be written by its group, and only root may write a policy; run: chmod go-w '/etc/pamhelper/a b'\''c'`},
		{name: "below a directory that others write", arrange: func(s scene) { s.good(); s.chmod("/etc", 0o757) },
			want: loc + ": /etc: can be written by everybody, and only root may write a directory on the way to a policy; run: chmod go-w /etc"},
		{name: "in a directory with a space in its name", arrange: func(s scene) { s.dir("/etc/a b'c", 0o777); s.policy("/etc/a b'c") },
			load: "/etc/a b'c/policy.textproto",
			want: `/etc/a b'c/policy.textproto: /etc/a b'c: can be written by its group and everybody, who could put another file or directory there; keep the policy elsewhere, such as in /etc/pamhelper`},
		{name: "through a link", arrange: func(s scene) { s.good(); s.link(loc, "/etc/here") }, load: "/etc/here"},
		{name: "through a relative link up and down", arrange: func(s scene) {
			s.good()
			s.dir("/etc/sub", 0o755)
			s.link("../pamhelper/policy.textproto", "/etc/sub/here")
			s.link("sub", "/etc/sub2")
		}, load: "/etc/sub2/here"},
		{name: "a link in a directory that others write", arrange: func(s scene) {
			s.good()
			s.dir("/etc/open", 0o777)
			s.link(loc, "/etc/open/here")
		}, load: "/etc/open/here",
			want: "/etc/open/here: /etc/open: can be written by its group and everybody"},
		{name: "a link to a directory that others write", arrange: func(s scene) {
			s.dir("/etc/open", 0o777)
			s.policy("/etc/open")
			s.link("open", "/etc/pamhelper")
		}, want: loc + ": /etc/open: can be written by its group and everybody"},
		{name: "a link through a directory that others write, and back", arrange: func(s scene) {
			s.good()
			s.dir("/etc/open", 0o777)
			s.dir("/etc/open/inner", 0o755)
			s.link("open/inner/../../pamhelper/policy.textproto", "/etc/here")
		}, load: "/etc/here",
			want: "/etc/here: /etc/open: can be written by its group and everybody"},
		{name: "a link to a file that others write", arrange: func(s scene) {
			s.dir("/etc/pamhelper", 0o755)
			s.write("/etc/open", sshd)
			s.chmod("/etc/open", 0o666)
			s.link("../open", loc)
		}, want: loc + ": /etc/open: can be written by its group and everybody, and only root may write a policy; run: chmod go-w /etc/open"},
		{name: "a link of somebody in a good directory", arrange: func(s scene) {
			s.good()
			s.link(loc, "/etc/here")
			s.must(unix.Lchown("/etc/here", somebody, 0)) // cannot be written through
		}, load: "/etc/here"},
		{name: "a link to itself", arrange: func(s scene) { s.dir("/etc/pamhelper", 0o755); s.link("policy.textproto", loc) },
			want: loc + ": is a symbolic link that leads on for ever, or to more than 40 others"},
		{name: "a link to nothing", arrange: func(s scene) { s.dir("/etc/pamhelper", 0o755); s.link("/etc/gone/x", loc) },
			want: loc + ": is a symbolic link to /etc/gone, which does not exist"},
		{name: "a directory that is a link to nothing", arrange: func(s scene) { s.link("gone", "/etc/pamhelper") },
			want: loc + ": /etc/pamhelper: is a symbolic link to /etc/gone, which does not exist"},
		{name: "in a file", arrange: func(s scene) { s.write("/etc/pamhelper", "") },
			want: loc + ": /etc/pamhelper: is no directory"},
		{name: "a directory", arrange: func(s scene) { s.dir("/etc/pamhelper", 0o755); s.dir(loc, 0o755) },
			want: loc + ": is a directory; name the file in it"},
		{name: "the root", arrange: func(scene) {}, load: "/", want: "/: is a directory; name the file in it"},
		{name: "a FIFO", arrange: func(s scene) { s.dir("/etc/pamhelper", 0o755); s.node(loc, unix.S_IFIFO) },
			want: loc + ": is a FIFO; a policy is a regular file"},
		{name: "a device", arrange: func(s scene) { s.dir("/etc/pamhelper", 0o755); s.node(loc, unix.S_IFCHR) },
			want: loc + ": is a device; a policy is a regular file"},
		{name: "a socket", arrange: func(s scene) { s.dir("/etc/pamhelper", 0o755); s.node(loc, unix.S_IFSOCK) },
			want: loc + ": is a socket; a policy is a regular file"},
		{name: "empty", arrange: func(s scene) { s.good(); s.write(loc, "") }, want: loc + ": no service; "},
		{name: "too large", arrange: func(s scene) { s.good(); s.truncate(loc, 1<<40) }, want: loc + ": is larger than 1048576 bytes"},
		{name: "relative", arrange: func(s scene) { s.good(); s.must(unix.Chdir("/etc/pamhelper")) }, load: "policy.textproto"},
		{name: "relative, below what others write", arrange: func(s scene) {
			s.good()
			s.chmod("/etc/pamhelper", 0o777)
			s.must(unix.Chdir("/etc/pamhelper"))
		}, load: "policy.textproto", want: "policy.textproto: /etc/pamhelper: can be written by"},
		{name: "a name with a NUL", arrange: scene.good, load: loc + "\x00", want: `"/etc/pamhelper/policy.textproto\x00": is not the name of a file`},
		{name: "a name that is too long", arrange: scene.good, load: "/etc/" + strings.Repeat("a", 300), want: "/etc/" + strings.Repeat("a", 300) + ": cannot be opened: file name too long"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			inPrivateEtc(t, func(t *testing.T) {
				test.arrange(scene{t})
				p, err := Load(test.load)
				switch {
				case test.want == "" && (err != nil || !proto.Equal(p, Builtin())):
					t.Errorf("got %v, %v; want the policy", p, err)
				case test.want != "" && (err == nil || !strings.HasPrefix(err.Error(), test.want)):
					t.Errorf("got  %v\nwant %s", err, test.want)
				}
			})
		})
	}
}

func TestPolicyOfWhoRunsTheProgramIsReadToo(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		owner, euid int
		good        bool
	}{{somebody, somebody, true}, {0, somebody, true}, {somebody, 0, false}, {somebody, somebody + 1, false}} {
		inPrivateEtc(t, func(t *testing.T) {
			s := scene{t}
			s.good()
			s.chown("/etc/pamhelper", test.owner)
			s.chown(Location, test.owner)
			w := walk{name: Location, euid: test.euid}
			f, err := w.open()
			if (err == nil) != test.good {
				t.Errorf("files of %d, process of %d: got %v, want it read: %v", test.owner, test.euid, err, test.good)
			}
			f.Close()
		})
	}
}

func TestDraftIsReadWhoeverOwnsIt(t *testing.T) {
	t.Parallel()
	inPrivateEtc(t, func(t *testing.T) {
		s := scene{t}
		s.dir("/etc/open", 0o1777)
		s.policy("/etc/open")
		s.chown("/etc/open/policy.textproto", somebody)
		s.node("/etc/open/fifo", unix.S_IFIFO)
		s.link("loop", "/etc/open/loop")
		s.link("policy.textproto", "/etc/open/link")
		for name, want := range map[string]string{
			"policy.textproto": "", "link": "",
			"fifo": "/etc/open/fifo: is a FIFO; a policy is a regular file",
			"gone": "/etc/open/gone: does not exist",
			"loop": "/etc/open/loop: cannot be opened: too many levels of symbolic links",
		} {
			_, err := OpenDraft("/etc/open/" + name)
			if got := fmt.Sprint(err); want == "" && err != nil || want != "" && got != want {
				t.Errorf("%s: got %v, want %q", name, got, want)
			}
		}
	})
}

func TestBuiltInPolicyIsKnownAsThat(t *testing.T) {
	t.Parallel()
	inPrivateEtc(t, func(t *testing.T) {
		file, err := Open("")
		if err != nil || !file.BuiltIn {
			t.Errorf("without a file: got %+v, %v; want it marked as built in", file, err)
		}
		scene{t}.good()
		file, err = Open("")
		if err != nil || file.BuiltIn || file.Name != Location {
			t.Errorf("with a file: got %+v, %v; want it not marked, and named %s", file, err, Location)
		}
	})
}
