package words

import (
	"strconv"
	"strings"
	"text/template/parse"
)

// maxField bounds the text that one field gives to a template.
const maxField = 4096

// Source is a value that fields are read from: Get leads to a member, or to a value that is missing; Text is its text, "" if
// it is missing.
type Source[V any] interface {
	Get(name string) V
	Text() string
}

// Fields are what .Entry is made of: a tree of values where any path may be asked for, and one that is missing is "". Its
// texts are cleaned and redacted. The zero Fields holds nothing.
type Fields struct {
	text func(path []string) string
}

// FieldsOf makes Fields of a value that has Get and Text.
func FieldsOf[V Source[V]](root V) Fields {
	return Fields{func(path []string) string {
		v := root
		for _, name := range path {
			v = v.Get(name)
		}
		return v.Text()
	}}
}

// Text is the text at path, as one line of at most 4096 runes; "" if the path leads nowhere.
func (f Fields) Text(path ...string) string {
	if f.text == nil {
		return ""
	}
	return Clean(f.text(path), maxField)
}

// String is the text of the whole.
func (f Fields) String() string { return f.Text() }

// entryFunction is what the chains that begin at .Entry are rewritten to call.
const entryFunction = "_entry"

// dot is what "." stands for in a part of a template, as far as it matters.
type dot struct {
	data  bool     // the data itself, so that .Entry is the entry
	entry bool     // what is found at path in the entry
	path  []string // of entry
}

// rewriter turns chains that begin at .Entry into calls that yield a string: text/template would print <no value> for a path
// that is missing, or fail, and could not hand the value to a function that wants a string.
type rewriter struct {
	vars map[string][]string // variables that were declared as a chain, with its path
}

// rewriteEntry rewrites the main template's tree.
func rewriteEntry(tree *parse.Tree) {
	r := &rewriter{vars: map[string][]string{}}
	r.list(tree.Root, dot{data: true})
}

func (r *rewriter) list(l *parse.ListNode, d dot) {
	if l == nil {
		return
	}
	for _, node := range l.Nodes {
		switch node := node.(type) {
		case *parse.ActionNode:
			r.pipe(node.Pipe, d)
		case *parse.TemplateNode:
			r.pipe(node.Pipe, d)
		case *parse.IfNode:
			r.pipe(node.Pipe, d)
			r.list(node.List, d)
			r.list(node.ElseList, d)
		case *parse.WithNode:
			inner := dot{}
			if path, ok := r.chain(node.Pipe, d); ok {
				inner = dot{entry: true, path: path}
			}
			r.pipe(node.Pipe, d)
			r.list(node.List, inner)
			r.list(node.ElseList, d)
		case *parse.RangeNode:
			r.pipe(node.Pipe, d)
			r.list(node.List, dot{})
			r.list(node.ElseList, d)
		}
	}
}

// chain is the path of a pipeline that is nothing but a chain into the entry.
func (r *rewriter) chain(p *parse.PipeNode, d dot) ([]string, bool) {
	if p == nil || len(p.Cmds) != 1 || len(p.Cmds[0].Args) != 1 {
		return nil, false
	}
	return r.path(p.Cmds[0].Args[0], d)
}

// path is where in the entry a node leads, if it is a chain into it.
func (r *rewriter) path(node parse.Node, d dot) ([]string, bool) {
	switch node := node.(type) {
	case *parse.DotNode:
		return d.path, d.entry
	case *parse.FieldNode:
		if d.entry {
			return join(d.path, node.Ident), true
		}
		if d.data && node.Ident[0] == "Entry" {
			return node.Ident[1:], true
		}
	case *parse.VariableNode:
		if node.Ident[0] == "$" {
			if len(node.Ident) > 1 && node.Ident[1] == "Entry" {
				return node.Ident[2:], true
			}
			return nil, false
		}
		if path, ok := r.vars[node.Ident[0]]; ok {
			return join(path, node.Ident[1:]), true
		}
	}
	return nil, false
}

func join(a, b []string) []string { return append(append([]string{}, a...), b...) }

func (r *rewriter) pipe(p *parse.PipeNode, d dot) {
	if p == nil {
		return
	}
	path, isChain := r.chain(p, d)
	for _, c := range p.Cmds {
		r.command(c, d)
	}
	for _, v := range p.Decl {
		if isChain && !p.IsAssign && len(p.Decl) == 1 {
			r.vars[v.Ident[0]] = path
		} else {
			delete(r.vars, v.Ident[0])
		}
	}
}

func (r *rewriter) command(c *parse.CommandNode, d dot) {
	if len(c.Args) == 1 {
		if path, ok := r.path(c.Args[0], d); ok {
			c.Args = lookup(path)
			return
		}
	}
	// index walks on from a chain: {{ index .Entry.labels "k8s-pod/app" }}.
	if name, ok := c.Args[0].(*parse.IdentifierNode); ok && name.Ident == "index" && len(c.Args) > 1 {
		if path, ok := r.path(c.Args[1], d); ok {
			rest := c.Args[2:]
			c.Args = append(lookup(path), rest...)
		}
	}
	for i, arg := range c.Args {
		switch node := arg.(type) {
		case *parse.PipeNode:
			r.pipe(node, d)
			continue
		case *parse.ChainNode:
			if inner, ok := node.Node.(*parse.PipeNode); ok {
				r.pipe(inner, d)
			}
			continue
		}
		if path, ok := r.path(arg, d); ok {
			command := &parse.CommandNode{NodeType: parse.NodeCommand, Pos: arg.Position(), Args: lookup(path)}
			c.Args[i] = &parse.PipeNode{NodeType: parse.NodePipe, Pos: arg.Position(), Cmds: []*parse.CommandNode{command}}
		}
	}
}

// lookup is the arguments of the call that looks a path up.
func lookup(path []string) []parse.Node {
	args := []parse.Node{parse.NewIdentifier(entryFunction)}
	for _, name := range path {
		args = append(args, &parse.StringNode{NodeType: parse.NodeString, Quoted: strconv.Quote(name), Text: name})
	}
	return args
}

// literal is a template's text with its actions left out: what can be said when it fails.
func literal(source string) string {
	var b strings.Builder
	for source != "" {
		i := strings.Index(source, "{{")
		if i < 0 {
			b.WriteString(source)
			break
		}
		b.WriteString(source[:i])
		end := strings.Index(source[i:], "}}")
		if end < 0 {
			break
		}
		b.WriteString("…")
		source = source[i+end+2:]
	}
	if strings.Trim(b.String(), "… \n") == "" {
		return ""
	}
	return b.String()
}
