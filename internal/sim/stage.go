package sim

import (
	"embed"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"tocsin/internal/app"
)

//go:embed stage/*.yaml
var stageFiles embed.FS

// Stage is the configurations that worlds run under, read once. One goroutine at a time may use it.
type Stage struct {
	// plans are the first configuration and the one that a reload puts in force.
	plans [2]*app.Plan
}

// NewStage reads the configurations as serve would.
func NewStage() (*Stage, error) {
	dir, err := os.MkdirTemp("", "tocsin-sim-")
	if err != nil {
		return nil, fmt.Errorf("set the stage: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }() // nothing in it is needed again
	files, err := fs.Sub(stageFiles, "stage")
	if err != nil {
		return nil, fmt.Errorf("set the stage: %w", err)
	}
	if err := os.CopyFS(dir, files); err != nil {
		return nil, fmt.Errorf("set the stage: %w", err)
	}
	s := &Stage{}
	for i, name := range []string{"tocsin.yaml", "other.yaml"} {
		plan, errs := app.Load(filepath.Join(dir, name))
		if len(errs) > 0 {
			return nil, fmt.Errorf("set the stage: %w", errs)
		}
		s.plans[i] = plan
	}
	return s, nil
}
