package realpam_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"golang.org/x/crypto/ssh"
)

// logsIn is a client of the library, in by the node's key.
func (n *node) logsIn(t *testing.T, user string, change func(*ssh.ClientConfig)) *ssh.Client {
	t.Helper()
	config := &ssh.ClientConfig{User: user, HostKeyCallback: ssh.InsecureIgnoreHostKey(), Timeout: patience,
		Auth: []ssh.AuthMethod{ssh.PublicKeys(n.signer("key"))}}
	if change != nil {
		change(config)
	}
	client, err := ssh.Dial("tcp", n.address(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

// opens opens a session's channel and drops what it is asked.
func opens(t *testing.T, client *ssh.Client) ssh.Channel {
	t.Helper()
	channel, requests, err := client.OpenChannel("session", nil)
	if err != nil {
		t.Fatal(err)
	}
	go ssh.DiscardRequests(requests)
	return channel
}

// text is the payload of a request with one text.
func text(of string) []byte { return wireString(of) }

func pair(name, value string) []byte { return append(wireString(name), wireString(value)...) }

func terminal(kind string, columns, rows uint32, modes string) []byte {
	return ssh.Marshal(struct {
		Type                   string
		Columns, Rows, Px, Pix uint32
		Modes                  string
	}{kind, columns, rows, columns, rows, modes})
}

// channelRequest is one request on a channel.
type channelRequest struct {
	kind    string
	payload []byte
	granted bool
}

const huge = 1<<32 - 1

// TestNodeTakesNoRequestAmiss of those that mean something or nothing: each is
// granted or refused, the channel's command shows what came of it, and the
// connection goes on.
func TestNodeTakesNoRequestAmiss(t *testing.T) {
	t.Parallel()
	n := keyed(t, pamhelper, keysOnly)
	writeFile(t, n.path("enemy5.keys"), readFile(t, n.path("key.pub")))
	client := n.logsIn(t, "enemy5", nil)
	run := func(line string) channelRequest { return channelRequest{"exec", text(line), true} }
	var flood []channelRequest
	for i := range 10000 {
		flood = append(flood, channelRequest{"env", pair(fmt.Sprintf("LC_%d", i), "x"), i < 64})
	}
	for name, c := range map[string]struct {
		requests []channelRequest
		shows    string // in the output, or in what is said in its place
	}{
		"variables for the loader": {[]channelRequest{{"env", pair("LD_PRELOAD", "/tmp/x.so"), true}, {"env", pair("PATH", "/tmp"), true}, {"env", pair("BASH_ENV", "/tmp/x"), true},
			{"env", pair("SSH_CLIENT", "6.6.6.6 6 6"), false}, {"env", pair("SSH_AUTH_SOCK", "/x"), false}, run(`echo "<$LD_PRELOAD,$BASH_ENV,${PATH%%:*},${SSH_CLIENT%% *}>"`)},
			"<,,/usr/local/bin,127.0.0.1>\n"},
		"variables that are none": {[]channelRequest{{"env", pair("", "x"), true}, {"env", pair("LC_A=B", "x"), true}, {"env", pair("LC_A\x00B", "x"), true}, {"env", pair("LC_B", "x\x00y"), true},
			{"env", []byte{0, 0, 0, 9}, false}, {"env", append(pair("LC_C", "x"), 0), false}, {"env", pair("LC_D", "\xff\n"), true}, run("echo in")}, "in\n"},
		"10,000 variables":            {append(flood, run("echo in $LC_0 $LC_63 $LC_64")), "in x x\n"},
		"variables of 200 KB":         {[]channelRequest{{"env", pair("LC_A", strings.Repeat("x", 200<<10)), false}, run("echo in")}, "in\n"},
		"no command":                  {[]channelRequest{{"exec", nil, false}, {"exec", text(""), false}, {"exec", []byte{0, 0, 1, 0}, false}, run("echo in")}, "in\n"},
		"a command with NUL":          {[]channelRequest{run("echo in\x00; echo more")}, "NUL"},
		"a command of 200 KB":         {[]channelRequest{run(strings.Repeat("x", 200<<10))}, "at most"},
		"a command that is no UTF-8":  {[]channelRequest{run("printf '\xff' | wc -c")}, "1\n"},
		"a second process":            {[]channelRequest{run("read line; echo in"), {"shell", nil, false}, {"exec", text("id"), false}, {"subsystem", text("sftp"), false}, {"pty-req", terminal("x", 80, 24, ""), false}, {"env", pair("LC_A", "x"), false}}, "in\n"},
		"a subsystem that is none":    {[]channelRequest{{"subsystem", text("shell"), false}, {"subsystem", text(""), false}, {"subsystem", text("../sftp"), false}, {"subsystem", text("sftp\x00"), false}, {"subsystem", nil, false}, run("echo in")}, "in\n"},
		"signals of no name":          {[]channelRequest{{"signal", text("KILL"), false}, run("read line; echo in"), {"signal", text("NOSUCH"), true}, {"signal", text("kill"), true}, {"signal", text("SIGKILL"), true}, {"signal", text("9"), true}, {"signal", text("\x00"), true}, {"signal", nil, false}}, "in\n"},
		"what there is not":           {[]channelRequest{{"x11-req", append([]byte{0}, append(pair("MIT-MAGIC-COOKIE-1", "00"), 0, 0, 0, 0)...), false}, {"auth-agent-req@openssh.com", nil, false}, {"break", []byte{0, 0, 0, 1}, false}, {"exit-status", []byte{0, 0, 0, 0}, false}, {"xon-xoff", []byte{1}, false}, {strings.Repeat("x", 100<<10), nil, false}, {"\x00\n", nil, false}, run("echo in; echo $DISPLAY$SSH_AUTH_SOCK")}, "in\n\n"},
		"a terminal that cannot be":   {[]channelRequest{{"pty-req", nil, false}, {"pty-req", terminal("vt100", huge, huge, ""), true}, {"pty-req", terminal("vt100", 80, 24, ""), false}, run("stty size")}, "0 0\r\n"},
		"a terminal of no modes":      {[]channelRequest{{"pty-req", terminal("vt100", 80, 24, strings.Repeat("\xff", 3)+"\x01"), true}, run("stty size")}, "24 80\r\n"},
		"modes that end early":        {[]channelRequest{{"pty-req", terminal("vt100", 80, 24, "\x01\x00"), true}, run("stty size")}, "24 80\r\n"},
		"modes without end":           {[]channelRequest{{"pty-req", terminal("vt100", 80, 24, strings.Repeat("\x35\x00\x00\x00\x00", 1000)), true}, run("stty size")}, ""},
		"speeds that cannot be":       {[]channelRequest{{"pty-req", terminal("vt100", 80, 24, "\x80\xff\xff\xff\xff\x81\xff\xff\xff\xff\x00"), true}, run("stty size")}, "24 80\r\n"},
		"a type with NUL":             {[]channelRequest{{"pty-req", terminal("vt\x00100", 80, 24, ""), true}, run("echo in")}, "is not one"},
		"a type of many lines":        {[]channelRequest{{"pty-req", terminal("vt100\nLD_PRELOAD=/x", 80, 24, ""), true}, run("echo in")}, "is not one"},
		"a type of 100 KB":            {[]channelRequest{{"pty-req", terminal(strings.Repeat("x", 100<<10), 80, 24, ""), true}, run("echo in")}, ""},
		"a window that cannot be":     {[]channelRequest{{"window-change", nil, false}, {"pty-req", terminal("vt100", 80, 24, ""), true}, {"window-change", make([]byte, 16), true}, run("read line; stty size"), {"window-change", bytes.Repeat([]byte{0xff}, 16), true}, {"window-change", []byte{1}, false}}, "0 0\r\n"},
		"a window without a terminal": {[]channelRequest{{"window-change", make([]byte, 16), false}, run("echo in")}, "in\n"},
	} {
		t.Run(name, func(t *testing.T) {
			channel := opens(t, client)
			defer channel.Close()
			for _, asked := range c.requests {
				granted, err := channel.SendRequest(asked.kind, true, asked.payload)
				if err != nil || granted != asked.granted {
					t.Fatalf("%.30s %.60q: granted %v, %v; want %v", asked.kind, asked.payload, granted, err, asked.granted)
				}
			}
			io.WriteString(channel, "line\n")
			channel.CloseWrite()
			var out, said workerLog
			var reading sync.WaitGroup
			reading.Go(func() { io.Copy(&out, channel) })
			reading.Go(func() { io.Copy(&said, channel.Stderr()) })
			reading.Wait()
			if got := out.String() + said.String(); !strings.Contains(got, c.shows) {
				t.Errorf("got %.300q, want %q", got, c.shows)
			}
		})
	}
	if _, _, err := client.SendRequest("keepalive@openssh.com", true, nil); err != nil {
		t.Errorf("the connection behind it all: %v", err)
	}
	if got := n.log.String(); strings.Contains(got, "\x00") || !utf8.ValidString(got) || len(got) > 200<<10 {
		t.Errorf("the log has %d bytes, or what the client chose unquoted", len(got))
	}
}

// TestNodeForwardsNothing whatever it is asked to.
func TestNodeForwardsNothing(t *testing.T) {
	t.Parallel()
	n := keyed(t, pamhelper, keysOnly)
	writeFile(t, n.path("enemy5.keys"), readFile(t, n.path("key.pub")))
	client := n.logsIn(t, "enemy5", nil)
	for _, kind := range []string{"direct-tcpip", "direct-streamlocal@openssh.com", "forwarded-tcpip", "x11", "auth-agent@openssh.com", "tun@openssh.com", "", "\x00\n", strings.Repeat("x", 100<<10)} {
		_, _, err := client.OpenChannel(kind, nil)
		var refused *ssh.OpenChannelError
		if !errors.As(err, &refused) || refused.Message == "" {
			t.Errorf("channel %.40q: %v, want it refused in words", kind, err)
		}
	}
	for _, kind := range []string{"tcpip-forward", "cancel-tcpip-forward", "streamlocal-forward@openssh.com", "hostkeys-prove-00@openssh.com", "no-more-sessions@openssh.com", "", "\x00\n"} {
		if granted, _, err := client.SendRequest(kind, true, append(wireString("127.0.0.1"), 0, 0, 0x20, 0)); granted || err != nil {
			t.Errorf("request %q: granted %v, %v; want it refused", kind, granted, err)
		}
	}
	n.logs(`msg="channel refused"`)
	n.logs(`msg="request refused"`)
}

// TestNodeOutlivesFloodsOfChannelsAndRequests and each leaves nothing behind.
func TestNodeOutlivesFloodsOfChannelsAndRequests(t *testing.T) {
	t.Parallel()
	n := keyed(t, pamhelper, keysOnly)
	for name, attack := range map[string]func(*testing.T, *ssh.Client){
		"channels opened and closed": func(t *testing.T, client *ssh.Client) {
			for range 1000 {
				opens(t, client).Close()
			}
		},
		"processes started and left": func(t *testing.T, client *ssh.Client) {
			for range 20 {
				var channel ssh.Channel
				eventually(t, func() bool { // a channel counts until its process has been started
					opened, requests, err := client.OpenChannel("session", nil)
					if err != nil {
						return false
					}
					go ssh.DiscardRequests(requests)
					channel = opened
					return true
				}, "room for one more channel")
				channel.SendRequest("exec", false, text("exec sleep 1000"))
				channel.Close()
			}
		},
		"requests that want no answer": func(t *testing.T, client *ssh.Client) {
			channel := opens(t, client)
			for range 10000 {
				channel.SendRequest("nonsense", false, nil)
				client.SendRequest("nonsense", false, nil)
			}
		},
		"200 channels": func(t *testing.T, client *ssh.Client) {
			var refused int
			for range 200 {
				channel, requests, err := client.OpenChannel("session", nil)
				if err != nil {
					refused++
					continue
				}
				go ssh.DiscardRequests(requests)
				defer channel.Close()
			}
			if refused == 0 || refused == 200 {
				t.Errorf("%d of 200 channels were refused, want some", refused)
			}
		},
		"a second process at once": func(t *testing.T, client *ssh.Client) {
			channel := opens(t, client)
			for range 50 {
				channel.SendRequest("exec", false, text("exec sleep 1000"))
			}
			if granted, err := channel.SendRequest("shell", true, nil); granted || err != nil {
				t.Errorf("one more process: granted %v, %v", granted, err)
			}
			if got := processesOf(uidOf(t, "enemy11")); len(got) > 1 {
				t.Errorf("%d processes of one channel, want one", len(got))
			}
		},
	} {
		writeFile(t, n.path("enemy11.keys"), readFile(t, n.path("key.pub")))
		client := n.logsIn(t, "enemy11", nil)
		attack(t, client)
		if _, _, err := client.SendRequest("keepalive@openssh.com", true, nil); err != nil {
			t.Errorf("%s: %v, want the connection to go on", name, err)
		}
		client.Close()
		eventually(t, func() bool { return len(processesOf(uidOf(t, "enemy11"))) == 0 }, "%s: the end of all processes: %v", name, describe(processesOf(uidOf(t, "enemy11"))))
		n.nothingLeft()
	}
	if got := len(n.log.String()); got > 400<<10 {
		t.Errorf("the log has %d bytes, want it bounded", got)
	}
}

// TestNodeExchangesKeysAgain in the middle of a session, many times.
func TestNodeExchangesKeysAgain(t *testing.T) {
	t.Parallel()
	n := keyed(t, pamhelper, keysOnly)
	writeFile(t, n.path("enemy5.keys"), readFile(t, n.path("key.pub")))
	client := n.logsIn(t, "enemy5", func(c *ssh.ClientConfig) { c.RekeyThreshold = 64 << 10 })
	_, want := n.random("file", 2<<20)
	session, err := client.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	session.Stdin, session.Stdout = bytes.NewReader(want), &got
	if err := session.Run("cat"); err != nil || !bytes.Equal(got.Bytes(), want) {
		t.Errorf("%v; %d bytes, which are what was sent: %v; want %d", err, got.Len(), bytes.Equal(got.Bytes(), want), len(want))
	}
}
