package ipc_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/pamhelper/pamhelper/pkg/ipc"
	pb "github.com/pamhelper/pamhelper/proto"
)

// hexLine is a line of bytes, with or without what they mean behind it.
var hexLine = regexp.MustCompile(`(?m)^([0-9a-f]{2}(?: [0-9a-f]{2})*)(?:  .*)?$`)

// TestFramesOfTheProtocolsPageAreThoseThatAreSent: who writes a client from
// PROTOCOL.md alone compares with them.
func TestFramesOfTheProtocolsPageAreThoseThatAreSent(t *testing.T) {
	page, err := os.ReadFile("../../proto/PROTOCOL.md")
	if err != nil {
		t.Fatal(err)
	}
	var shown []string
	for i, block := range strings.Split(string(page), "\n```\n") {
		if lines := hexLine.FindAllStringSubmatch(block, -1); i%2 == 1 && lines != nil {
			var bytes []string
			for _, line := range lines {
				bytes = append(bytes, line[1])
			}
			shown = append(shown, strings.Join(bytes, " "))
		}
	}
	var sent []string
	for _, frames := range [][]proto.Message{
		{&pb.BrokerRequest{Body: &pb.BrokerRequest_NewWorker{NewWorker: &pb.NewWorker{}}}},
		{&pb.Request{Body: &pb.Request_Hello{Hello: &pb.Hello{Version: 1}}}},
		{&pb.Request{Body: &pb.Request_Authenticate{Authenticate: &pb.Authenticate{}}}, &pb.Request{Body: &pb.Request_End{End: &pb.End{}}}},
		{&pb.Request{Body: &pb.Request_Begin{Begin: &pb.Begin{Service: "sshd", User: []byte("alice"), Rhost: "192.0.2.7"}}}},
	} {
		var bytes []byte
		for _, message := range frames {
			if bytes, err = ipc.AppendFrame(bytes, message); err != nil {
				t.Fatal(err)
			}
		}
		sent = append(sent, fmt.Sprintf("% x", bytes))
	}
	if got, want := strings.Join(shown, "\n"), strings.Join(sent, "\n"); got != want {
		t.Errorf("PROTOCOL.md shows\n%s\nand these are sent:\n%s", got, want)
	}
}
