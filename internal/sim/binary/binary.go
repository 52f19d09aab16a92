// Package binary builds the real tocsin for what starts it, measures it and kills it.
package binary

import (
	"context"
	"fmt"
	"os"
	"os/exec"
)

// Build builds tocsin from this module into a file, static, or with the race detector. Its error says what the compiler said.
func Build(ctx context.Context, to string, race bool) error {
	args := []string{"build", "-o", to}
	cgo := "CGO_ENABLED=0"
	if race {
		args, cgo = append(args, "-race", "-gcflags=modernc.org/...=-d=checkptr=0", // as make test has it: there is why
			"-gcflags=modernc.org/sqlite/lib=-d=checkptr=0 -race=false"), "CGO_ENABLED=1"
	}
	cmd := exec.CommandContext(ctx, "go", append(args, "tocsin/cmd/tocsin")...)
	cmd.Env = append(os.Environ(), cgo)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build tocsin: %w\n%s", err, out)
	}
	return nil
}
