package app

import (
	"context"
	"errors"

	"tocsin/internal/config"
	"tocsin/rules"
)

// Trial is one proof that `tocsin test` makes: a case beside a rule, or a scenario.
type Trial struct {
	Position config.Position
	// Rule is the one that a case is of; "" for a scenario.
	Rule string
	Name string

	of       *rules.Rule
	proof    rules.Case
	scenario *scenarioOf
	came     *witness
}

// Trials are those of a rule file, of a scenario file, or of the rules that a configuration names, which may have warnings.
func Trials(path string) (list []*Trial, warnings, errs config.Errors) {
	if isScenarioFile(path) {
		all, errs := readScenarios(path)
		if len(errs) > 0 {
			return nil, nil, errs
		}
		for _, s := range all {
			list = append(list, &Trial{Position: s.node.Position(), Name: s.Name, scenario: s})
		}
		return list, nil, nil
	}
	of, warnings, errs := RulesOf(path)
	for _, r := range of {
		for _, c := range r.Cases {
			list = append(list, &Trial{Position: c.Position, Rule: r.Name, Name: c.Name, of: r, proof: c})
		}
	}
	return list, warnings, errs
}

// Prove makes the proof and returns how what came of it differs from what is wanted, as lines of a diff; none if it holds.
func (t *Trial) Prove(ctx context.Context) ([]string, error) {
	if t.scenario == nil {
		return t.of.Prove(t.proof)
	}
	came, err := t.scenario.play(ctx)
	if err != nil {
		if placed := (config.Error{}); errors.As(err, &placed) {
			return nil, config.Errors{placed}.Err()
		}
		return nil, err
	}
	t.came = came
	return t.scenario.diff(came), nil
}

// Kind is what the proof is: case or scenario.
func (t *Trial) Kind() string {
	if t.scenario != nil {
		return "scenario"
	}
	return "case"
}

// Against is how what came of another proof differs from what this one wants; of a case it is said that it may.
func (t *Trial) Against(other *Trial) []string {
	if t.scenario == nil || other.came == nil {
		return []string{"cases are proved anew"}
	}
	return t.scenario.diff(other.came)
}
