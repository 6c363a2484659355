package preflight

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	"github.com/pamhelper/pamhelper/cmd/agent/internal/config"
	pb "github.com/pamhelper/pamhelper/proto"
)

// TestThePageForTeleportHasConfigurationsWithTheirPolicies: each configuration is a
// right one, and the policy that follows it is the one that it needs.
func TestThePageForTeleportHasConfigurationsWithTheirPolicies(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../TELEPORT.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)\n```(yaml|textproto)\n(.*?)```\n").FindAllStringSubmatch(string(page), -1)
	var configurations, policies int
	var needs string
	for _, block := range blocks {
		text := block[2]
		if block[1] == "yaml" {
			configurations++
			c, err := config.Parse("TELEPORT.md", []byte(text))
			if err == nil {
				err = c.Ready()
			}
			if err != nil {
				t.Fatalf("%v in\n%s", err, text)
			}
			needs = needed(servicesOf(c))
			continue
		}
		policies++
		want, got := parsed(t, needs), parsed(t, text)
		for _, service := range got.Service {
			service.ModuleGetenv = nil // an administrator's to add
		}
		if !proto.Equal(got, want) {
			t.Errorf("got the policy\n%s\nwant, for the configuration before it,\n%s", text, needs)
		}
	}
	if configurations != 6 || policies != 5 || strings.Count(string(page), "```yaml") != configurations {
		t.Errorf("got %d configurations and %d policies, want 6 and 5", configurations, policies)
	}
}

func parsed(t *testing.T, text string) *pb.Policy {
	t.Helper()
	p := &pb.Policy{}
	if err := prototext.Unmarshal([]byte(text), p); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return p
}
