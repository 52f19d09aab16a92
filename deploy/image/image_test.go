// Package image_test builds the image as ko does, with the settings of .ko.yaml, on a base that needs no network.
package image_test

import (
	"archive/tar"
	"bytes"
	"context"
	"debug/elf"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/ko/pkg/build"
	"github.com/google/ko/pkg/commands/options"
	"github.com/google/ko/pkg/publish"
)

const importPath = "ko://tocsin/cmd/tocsin" // as the manifests name it

// built is the image on a base of nothing but the user that distroless' nonroot has.
func built(t *testing.T, root string) v1.Image {
	t.Helper()
	settings := options.BuildOptions{WorkingDirectory: root}
	if err := settings.LoadConfig(); err != nil {
		t.Fatalf("read .ko.yaml: %v", err)
	}
	if base := settings.BaseImage; !strings.HasPrefix(base, "gcr.io/distroless/static-") || !strings.Contains(base, ":nonroot") {
		t.Errorf("the base image is %s, want distroless' static one that is not root", base)
	}
	if len(settings.BuildConfigs) != 1 {
		t.Errorf(".ko.yaml has %d builds, want that of tocsin", len(settings.BuildConfigs))
	}
	base, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{OS: "linux", Architecture: runtime.GOARCH, Config: v1.Config{User: "65532"}})
	if err != nil {
		t.Fatal(err)
	}
	b, err := build.NewGo(t.Context(), root, build.WithConfig(settings.BuildConfigs), build.WithPlatforms("linux/"+runtime.GOARCH), build.WithDisabledSBOM(),
		build.WithBaseImages(func(context.Context, string) (name.Reference, build.Result, error) {
			return name.MustParseReference("example.com/base"), base, nil
		}))
	if err != nil {
		t.Fatal(err)
	}
	if err := b.IsSupportedReference(importPath); err != nil {
		t.Fatalf("%s: %v", importPath, err)
	}
	result, err := b.Build(t.Context(), importPath)
	if err != nil {
		t.Fatal(err)
	}
	image, ok := result.(v1.Image)
	if !ok {
		t.Fatalf("ko built a %T", result)
	}
	return image
}

// binary is the file of the image that is run.
func binary(t *testing.T, image v1.Image, path string) []byte {
	t.Helper()
	layers := mutate.Extract(image)
	defer layers.Close()
	for r := tar.NewReader(layers); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			t.Fatalf("the image has no %s", path)
		}
		if err != nil {
			t.Fatal(err)
		}
		if strings.TrimPrefix(h.Name, "/") == strings.TrimPrefix(path, "/") {
			data, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			return data
		}
	}
}

func TestImage(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	image := built(t, root)
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if c := config.Config; c.User != "65532" || len(c.Entrypoint) != 1 || c.Entrypoint[0] != "/ko-app/tocsin" {
		t.Errorf("the image runs %v as %q", c.Entrypoint, c.User)
	}
	// What kubectl exec of the documentation names is there, needs no library, and runs.
	data := binary(t, image, "/ko-app/tocsin")
	f, err := elf.NewFile(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if libraries, err := f.ImportedLibraries(); err != nil || len(libraries) > 0 {
		t.Errorf("the binary needs %v (%v)", libraries, err)
	}
	path := filepath.Join(t.TempDir(), "tocsin")
	if err := os.WriteFile(path, data, 0o700); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), path, "version").CombinedOutput(); err != nil || !strings.HasPrefix(string(out), "tocsin ") {
		t.Errorf("tocsin version: %v: %s", err, out)
	}
	if bytes.Contains(data, []byte(root)) {
		t.Error("the binary holds the path that it was built at")
	}
	// A tarball is how it goes where no registry is.
	file := filepath.Join(t.TempDir(), "tocsin.tar")
	to := publish.NewTarball(file, "example.com", func(string, string) string { return "example.com/tocsin" }, []string{"latest"})
	if _, err := to.Publish(t.Context(), image, importPath); err != nil {
		t.Fatal(err)
	}
	if err := to.Close(); err != nil {
		t.Fatal(err)
	}
	tag, err := name.NewTag("example.com/tocsin:latest")
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := tarball.ImageFromPath(file, &tag)
	if err != nil {
		t.Fatal(err)
	}
	// The same sources give the same image.
	again := built(t, root)
	for what, other := range map[string]v1.Image{"read back from the tarball": loaded, "built again": again} {
		want, err1 := image.ConfigName()
		got, err2 := other.ConfigName()
		if err := errors.Join(err1, err2); err != nil || got != want {
			t.Errorf("%s it is %s, was %s (%v)", what, got, want, err)
		}
	}
}
