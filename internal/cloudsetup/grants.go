package cloudsetup

import (
	"context"
	"fmt"
	"slices"

	"cloud.google.com/go/iam/apiv1/iampb"
	"google.golang.org/genproto/googleapis/type/expr"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// binding is one member's role on one resource.
type binding struct {
	thing, resource string
	holder          policyHolder
	role, member    string
	// condition, if set, is when the role holds, in CEL.
	condition string
	needs     string
}

// attempts is how often a policy that somebody else changed meanwhile is read and written again.
const attempts = 3

func (c *Clients) grant(b binding) item {
	detail := fmt.Sprintf("%s to %s", b.role, b.member)
	if b.condition != "" {
		detail += " where " + b.condition
	}
	return item{
		thing: "role", name: b.resource, needs: b.needs,
		look: func(ctx context.Context) (string, string, error) {
			p, err := b.read(ctx)
			switch {
			case missing(err):
				return Later, detail + ", once it is there", nil
			case err != nil:
				return "", "", err
			case b.in(p) >= 0 && slices.Contains(p.GetBindings()[b.in(p)].GetMembers(), b.member):
				return Exists, detail, nil
			}
			return Create, detail, nil
		},
		make: func(ctx context.Context) (err error) {
			for range attempts {
				if err = b.add(ctx); status.Code(err) != codes.Aborted {
					return err
				}
			}
			return err
		},
	}
}

// read asks for the policy with its conditions: one that is read without them loses them when it is written.
func (b binding) read(ctx context.Context) (*iampb.Policy, error) {
	return b.holder.GetIamPolicy(ctx, &iampb.GetIamPolicyRequest{Resource: b.resource, Options: &iampb.GetPolicyOptions{RequestedPolicyVersion: 3}})
}

// in is where the role stands in a policy under the same condition; -1 if it does not.
func (b binding) in(p *iampb.Policy) int {
	return slices.IndexFunc(p.GetBindings(), func(is *iampb.Binding) bool {
		return is.GetRole() == b.role && is.GetCondition().GetExpression() == b.condition
	})
}

// add writes the policy with the member added. Its etag makes it fail if somebody else wrote meanwhile.
func (b binding) add(ctx context.Context) error {
	p, err := b.read(ctx)
	if err != nil {
		return err
	}
	if i := b.in(p); i >= 0 {
		p.Bindings[i].Members = append(p.Bindings[i].Members, b.member)
	} else {
		is := &iampb.Binding{Role: b.role, Members: []string{b.member}}
		if b.condition != "" {
			is.Condition = &expr.Expr{Title: "tocsin", Description: "One log view; made by tocsin provision.", Expression: b.condition}
			p.Version = 3
		}
		p.Bindings = append(p.Bindings, is)
	}
	_, err = b.holder.SetIamPolicy(ctx, &iampb.SetIamPolicyRequest{Resource: b.resource, Policy: p})
	return err
}
