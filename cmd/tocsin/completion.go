package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

type completionCommand struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Help is shown under --help.
func (*completionCommand) Help() string {
	return `Commands, flags and their values are completed; everything else is completed as the names of files are.

Examples:
  source <(tocsin completion bash)                                        # this shell; in ~/.bashrc for all
  source <(tocsin completion zsh)
  tocsin completion fish > ~/.config/fish/completions/tocsin.fish`
}

// Run prints the script.
func (c *completionCommand) Run(s *streams, app *kong.Kong) error {
	var all []completed
	collect(app.Model.Node, nil, &all)
	text := bashCompletion(all)
	switch c.Shell {
	case "zsh":
		text = "autoload -U +X compinit && compinit\nautoload -U +X bashcompinit && bashcompinit\n" + text
	case "fish":
		text = fishCompletion(all)
	}
	if _, err := io.WriteString(s.out, text); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}

// completed is what may stand behind a command.
type completed struct {
	path  []string
	words []named // subcommands, or the values of an argument
	flags []named
}

// named is a word with what it means; values are those that a flag takes, "" among them says that it takes any.
type named struct {
	name, help string
	values     []string
}

// collect takes a command and those below it.
func collect(n *kong.Node, path []string, all *[]completed) {
	one := completed{path: path}
	for _, p := range n.Positional {
		for _, v := range p.EnumSlice() {
			one.words = append(one.words, named{name: v})
		}
	}
	for _, f := range n.Flags {
		if f.Hidden {
			continue
		}
		flag := named{name: "--" + f.Name, help: f.Help}
		if !f.IsBool() {
			flag.values = append(f.EnumSlice(), "")
		}
		one.flags = append(one.flags, flag)
	}
	if !slices.ContainsFunc(one.flags, func(f named) bool { return f.name == "--help" }) {
		one.flags = append(one.flags, named{name: "--help", help: "Show help with examples."})
	}
	for _, child := range n.Children {
		if !child.Hidden {
			one.words = append(one.words, named{name: child.Name, help: child.Help})
		}
	}
	*all = append(*all, one)
	for _, child := range n.Children {
		if !child.Hidden {
			collect(child, append(slices.Clone(path), child.Name), all)
		}
	}
}

// bashCompletion is a function of bash.
func bashCompletion(all []completed) string {
	var paths, words, values strings.Builder
	for _, c := range all {
		path := strings.Join(c.path, " ")
		if path != "" {
			fmt.Fprintf(&paths, "      %q) path=%q ;;\n", path, path)
		}
		var names []string
		for _, n := range append(slices.Clone(c.words), c.flags...) {
			names = append(names, n.name)
		}
		fmt.Fprintf(&words, "    %q) words=%q ;;\n", path, strings.Join(names, " "))
		for _, f := range c.flags {
			if len(f.values) > 0 {
				fmt.Fprintf(&values, "    %q) words=%q ;;\n", path+" "+f.name, strings.TrimSpace(strings.Join(f.values, " ")))
			}
		}
	}
	return `# tocsin's completion for bash: source <(tocsin completion bash)
_tocsin() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} path= words= i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "${path:+$path }${COMP_WORDS[i]}" in
` + paths.String() + `    esac
  done
  case "$path" in
` + words.String() + `  esac
  case "$path $prev" in
` + values.String() + `  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -o default -F _tocsin tocsin
`
}

// fishCompletion is a list of completions of fish.
func fishCompletion(all []completed) string {
	var b strings.Builder
	b.WriteString(`# tocsin's completion for fish
function __tocsin_in
  set -l said (commandline -opc | string match -v -- '-*')
  test (count $said) -gt (count $argv); and test "$said[2..(math 1 + (count $argv))]" = "$argv"
end
`)
	quote := func(text string) string { return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(text) + "'" }
	for _, c := range all {
		condition := "__tocsin_in " + strings.Join(c.path, " ")
		if len(c.path) == 0 {
			condition = "__fish_use_subcommand"
		}
		for _, w := range c.words {
			fmt.Fprintf(&b, "complete -c tocsin -n %s -a %s -d %s\n", quote(condition), quote(w.name), quote(w.help))
		}
		for _, f := range c.flags {
			takes := ""
			if len(f.values) > 0 {
				takes = " -r"
			}
			if values := strings.TrimSpace(strings.Join(f.values, " ")); values != "" {
				takes += " -f -a " + quote(values)
			}
			fmt.Fprintf(&b, "complete -c tocsin -n %s -l %s%s -d %s\n", quote(condition), strings.TrimPrefix(f.name, "--"), takes, quote(f.help))
		}
	}
	return b.String()
}
