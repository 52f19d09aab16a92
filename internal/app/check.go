package app

import (
	"fmt"
	"os"
	"time"

	"tocsin/internal/config"
	"tocsin/rules"
)

// Check finds the mistakes in a configuration, with all that it names, in a rule file, or in a scenario file. The summary says what it holds.
func Check(path string) (summary string, warnings, errs config.Errors) {
	if isScenarioFile(path) {
		list, errs := readScenarios(path)
		return plural(len(list), "scenario"), nil, errs
	}
	if isRuleFile(path) {
		list, _, errs := RulesOf(path)
		errs = append(append(errs, twice(list)...), rules.Slow(list, trialTime)...).Sorted()
		return fmt.Sprintf("%s, %s", plural(len(list), "rule"), plural(cases(list), "case")), lints(list), errs
	}
	plan, errs := load(path)
	plan.Warnings = append(plan.Warnings, plan.over(time.Now())...).Sorted()
	if plan.Rules != nil {
		l := &loading{file: plan.File, plan: plan}
		l.idle()
		l.unwatched(len(errs) > 0)
		l.unheardRules(plan.configured())
		plan.Warnings = append(plan.Warnings, lints(plan.Rules.Rules)...).Sorted()
		errs = append(errs, rules.Slow(plan.Rules.Rules, trialTime)...).Sorted()
	}
	if len(errs) > 0 {
		return "", plan.Warnings, errs
	}
	return fmt.Sprintf("%s, %s, %s", plural(len(plan.configured()), "rule"), plural(len(plan.Sources), "source"), plural(len(plan.Receivers), "receiver")), plan.Warnings, nil
}

// trialTime is how much CPU time the trial of a pattern takes, without what the race detector adds.
func trialTime(run func()) time.Duration {
	took := cpuTime(run)
	if raced {
		took /= 10
	}
	return took
}

// lints are what rules say that is probably not meant.
func lints(list []*rules.Rule) config.Errors {
	var out config.Errors
	for _, r := range list {
		out = append(out, r.Lints()...)
	}
	return append(out, rules.Alike(list)...)
}

// twice says which names a rule file gives twice. The causes that its rules name may be in other files.
func twice(list []*rules.Rule) config.Errors {
	alone := make([]*rules.Rule, len(list))
	for i, r := range list {
		alone[i] = &rules.Rule{Name: r.Name, Position: r.Position}
	}
	return rules.Together(alone)
}

// RulesOf reads the rules of a rule file, or those that a configuration names, which may have warnings.
func RulesOf(path string) (list []*rules.Rule, warnings, errs config.Errors) {
	if !isRuleFile(path) {
		plan, errs := load(path)
		if len(errs) > 0 {
			return nil, plan.Warnings, errs
		}
		return plan.configured(), plan.Warnings, nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, config.Errors{{Position: config.Position{File: path}, Text: err.Error()}}
	}
	list, errs = rules.Read(path, data)
	return list, nil, errs
}

// isRuleFile says whether a file is a list of rules: its `rules` are mappings, a configuration's are names of files.
func isRuleFile(path string) bool {
	root := parsed(path)
	if only(root) != "rules" {
		return false
	}
	for _, n := range root.Members()[0].Value.Items() {
		if n.Kind() == config.Scalar {
			return false
		}
	}
	return true
}

// isScenarioFile says whether a file is a list of scenarios.
func isScenarioFile(path string) bool { return only(parsed(path)) == "scenarios" }

// parsed is what can be made out of a file; absent for nothing.
func parsed(path string) config.Node {
	data, err := config.ReadFile(path)
	if err != nil {
		return config.Node{}
	}
	root, _ := config.Parse(path, data)
	return root
}

// only is the one key that a file has; "" for several.
func only(root config.Node) string {
	if members := root.Members(); len(members) == 1 {
		return members[0].Key
	}
	return ""
}

func cases(list []*rules.Rule) int {
	n := 0
	for _, r := range list {
		n += len(r.Cases)
	}
	return n
}
