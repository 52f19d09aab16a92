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

// Stage is the configuration that worlds run under, read once. One goroutine at a time may use it.
type Stage struct {
	plan *app.Plan
}

// NewStage reads the configuration as serve would.
func NewStage() (*Stage, error) {
	dir, err := os.MkdirTemp("", "tocsin-sim-")
	if err != nil {
		return nil, fmt.Errorf("set the stage: %w", err)
	}
	defer os.RemoveAll(dir)
	files, err := fs.Sub(stageFiles, "stage")
	if err != nil {
		return nil, fmt.Errorf("set the stage: %w", err)
	}
	if err := os.CopyFS(dir, files); err != nil {
		return nil, fmt.Errorf("set the stage: %w", err)
	}
	plan, errs := app.Load(filepath.Join(dir, "tocsin.yaml"))
	if len(errs) > 0 {
		return nil, fmt.Errorf("set the stage: %w", errs)
	}
	return &Stage{plan: plan}, nil
}
