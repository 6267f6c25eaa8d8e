package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

type completionVerb struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Help shows with datasink completion --help.
func (*completionVerb) Help() string {
	return `The script completes verbs, flags, the values of flags that take one of a list, and the
names of streams. The names come from streams.json in the working directory.

Examples:

  source <(datasink completion bash)
  source <(datasink completion zsh)
  datasink completion fish > ~/.config/fish/completions/datasink.fish`
}

// Each script calls datasink complete. A shell completes file names if there is no
// candidate.
const (
	bashScript = `_datasink() {
  local IFS=$'\n'
  COMPREPLY=($("${COMP_WORDS[0]}" complete -- "${COMP_WORDS[@]:1:$COMP_CWORD}" 2>/dev/null | cut -f 1))
}
complete -o bashdefault -o default -F _datasink datasink
`
	zshScript  = "autoload -U +X compinit && compinit\nautoload -U +X bashcompinit && bashcompinit\n" + bashScript
	fishScript = `function __datasink_complete
  set -l words (commandline -opc) (commandline -ct)
  $words[1] complete -- $words[2..] 2>/dev/null
end
complete -c datasink -f -a '(__datasink_complete)'
complete -c datasink -n 'test -z "$(__datasink_complete)"' -F
`
)

// Run prints the script.
func (v *completionVerb) Run(c console) error {
	script := map[string]string{"bash": bashScript, "zsh": zshScript, "fish": fishScript}[v.Shell]
	_, err := fmt.Fprint(c.out, script)
	return err
}

// completeVerb is what the scripts call.
type completeVerb struct {
	Words []string `arg:"" help:"Words of a command line after datasink. The last one is completed."`
}

// Run prints the candidates for the last word, one on a line, each with a tab and its
// description.
func (v *completeVerb) Run(c console, k *kong.Kong) error {
	last := len(v.Words) - 1
	for _, candidate := range candidates(k.Model.Node, v.Words[:last], strings.TrimPrefix(v.Words[last], "=")) {
		if _, err := fmt.Fprintln(c.out, candidate); err != nil {
			return err
		}
	}
	return nil
}

// candidates returns the words that begin with last and can follow the words before it.
// A candidate that has a description is followed by a tab and the description.
func candidates(node *kong.Node, before []string, last string) []string {
	var flag *kong.Flag // the flag whose value is next
	for _, word := range before {
		switch {
		case word == "=": // Bash splits --flag=value into three words.
		case flag != nil:
			flag = nil
		default:
			flag = valueFlag(node, word)
			if child := childOf(node, word); child != nil {
				node = child
			}
		}
	}
	var all []string
	if flag != nil {
		all = values(flag.Value)
	} else {
		for _, child := range node.Children {
			if !child.Hidden {
				all = append(all, child.Name+"\t"+child.Help)
			}
		}
		for _, p := range node.Positional {
			all = append(all, values(p)...)
		}
		for _, f := range flagsOf(node) {
			all = append(all, "--"+f.Name+"\t"+f.Help)
		}
	}
	list := "" // the complete elements before the last one of a list
	if flag != nil && flag.IsSlice() {
		i := strings.LastIndexByte(last, ',') + 1
		list, last = last[:i], last[i:]
	}
	var matching []string
	for _, word := range all {
		if strings.HasPrefix(word, last) {
			matching = append(matching, list+word)
		}
	}
	return matching
}

// childOf returns the verb of that name below a verb, or nil.
func childOf(node *kong.Node, name string) *kong.Node {
	i := slices.IndexFunc(node.Children, func(child *kong.Node) bool { return child.Name == name })
	if i < 0 {
		return nil
	}
	return node.Children[i]
}

// valueFlag returns the flag of a verb that a word names, if its value is the next word;
// otherwise nil.
func valueFlag(node *kong.Node, word string) *kong.Flag {
	flags := flagsOf(node)
	i := slices.IndexFunc(flags, func(f *kong.Flag) bool { return "--"+f.Name == word && !f.IsBool() })
	if i < 0 {
		return nil
	}
	return flags[i]
}

// flagsOf returns the flags of a verb, sorted by name.
func flagsOf(node *kong.Node) []*kong.Flag {
	flags := slices.Concat(node.AllFlags(true)...)
	slices.SortFunc(flags, func(a, b *kong.Flag) int { return strings.Compare(a.Name, b.Name) })
	return flags
}

// values returns the values that a flag or an argument takes: one of a list, or the
// name of a stream. It returns nil for other values.
func values(v *kong.Value) []string {
	switch {
	case v.Enum != "":
		return v.EnumSlice()
	case v.Tag.Get("complete") == "stream", v.Flag != nil && (v.Name == "stream" || v.Name == "into"):
		names, err := (&streamsFile{Streams: "streams.json"}).names()
		if err != nil {
			return nil // A completion prints no errors.
		}
		return names
	}
	return nil
}
