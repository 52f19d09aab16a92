package sim

import (
	"strings"
	"testing"
)

// TestNoInvariantIsViolated plays worlds of trouble, from the first seed on whose worlds have every kind of it.
func TestNoInvariantIsViolated(t *testing.T) {
	t.Parallel() // while others wait for processes
	sum, err := Many(t.Context(), 3, stepsInTest, 0, 2, Settings{Steps: 6000}, func(_ uint64, r Result) bool {
		if r.Violation != nil {
			var b strings.Builder
			r.Violation.Print(&b)
			t.Error(b.String())
		}
		return r.Violation == nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if sum.Crashes == 0 || sum.LostAnswers == 0 || sum.Rings == 0 || sum.Again == 0 {
		t.Errorf("there was no trouble: %+v", sum)
	}
}

// TestASeedRepeats: what cannot be repeated cannot be mended.
func TestASeedRepeats(t *testing.T) {
	t.Parallel() // while others wait for processes
	for seed := uint64(100); seed < 102; seed++ {
		var hashes [2]uint64
		for i := range hashes {
			stage, err := NewStage()
			if err != nil {
				t.Fatal(err)
			}
			r, err := Run(t.Context(), stage, Settings{Seed: seed, Steps: stepsInTest / 20})
			if err != nil {
				t.Fatal(err)
			}
			hashes[i] = r.Hash
		}
		if hashes[0] != hashes[1] {
			t.Errorf("seed %d went another way the second time", seed)
		}
	}
}

// TestPlantedBugsAreFound puts a few of the known bugs in, each into as many worlds as it takes; simulate -bugs puts in all.
func TestPlantedBugsAreFound(t *testing.T) {
	t.Parallel() // while others wait for processes
	for _, name := range plantsInTest {
		caught := false
		_, err := Many(t.Context(), 1, 0, 40, 2, Settings{Steps: 3000, Plant: name}, func(_ uint64, r Result) bool {
			caught = r.Violation != nil
			return !caught
		})
		if err != nil {
			t.Fatal(err)
		}
		if !caught {
			t.Errorf("%s: no world of 40 has found it", name)
		}
	}
}

func BenchmarkStep(b *testing.B) {
	stage, err := NewStage()
	if err != nil {
		b.Fatal(err)
	}
	steps := 0
	for seed := uint64(1); steps < b.N; seed++ {
		r, err := Run(b.Context(), stage, Settings{Seed: seed, Steps: 6000})
		if err != nil || r.Violation != nil {
			b.Fatal(err, r.Violation)
		}
		steps += r.Steps
	}
}
