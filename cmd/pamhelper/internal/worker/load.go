package worker

import (
	"errors"
	"fmt"

	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/policy"
	pb "github.com/pamhelper/pamhelper/proto"
)

// PolicyOnDescriptor in the place of a file's name stands for descriptor 4, with
// the text of a policy that whoever started the worker has read before.
const PolicyOnDescriptor = "fd:4"

// loadPolicy reads what the worker is held to. Whoever debugs is held to nothing.
func loadPolicy(options Options) (*pb.Policy, error) {
	switch {
	case options.Debug != nil:
		return policy.Builtin(), nil
	case options.Policy != PolicyOnDescriptor:
		return policy.Load(options.Policy)
	}
	file := policyFile(options.Spare)
	if file == nil {
		return nil, errors.New("there is no descriptor 4")
	}
	defer file.Close()
	return policy.Read(file, PolicyOnDescriptor)
}

// badPolicy is what an agent is told: what exactly is wrong is for the log.
func badPolicy(name string) *fault {
	if name == "" {
		name = policy.Location
	}
	text := fmt.Sprintf("the policy %s cannot be used: run pamhelper policy check %s", name, name)
	if name == PolicyOnDescriptor {
		text = "the policy that this helper was started with cannot be used: run pamhelper policy check"
	}
	return &fault{kind: pb.Fault_INTERNAL, text: text}
}
