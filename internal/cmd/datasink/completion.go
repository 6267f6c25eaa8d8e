package main

import (
	"context"
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

// Run prints the script.
func (v *completionVerb) Run(_ context.Context, c console, k *kong.Kong) error {
	var script string
	switch v.Shell {
	case "bash":
		script = bashCompletion(k.Model)
	case "zsh":
		script = "autoload -U +X compinit && compinit\nautoload -U +X bashcompinit && bashcompinit\n" + bashCompletion(k.Model)
	case "fish":
		script = fishCompletion(k.Model)
	}
	_, err := fmt.Fprint(c.out, script)
	return err
}

// commands calls each with every command and its path, such as "failed ls". The
// path of the root command is empty.
func commands(app *kong.Application, each func(path string, node *kong.Node)) {
	var walk func(path string, node *kong.Node)
	walk = func(path string, node *kong.Node) {
		each(path, node)
		for _, child := range node.Children {
			if !child.Hidden {
				walk(strings.TrimSpace(path+" "+child.Name), child)
			}
		}
	}
	walk("", app.Node)
}

// flagsOf returns the flags of a command, sorted by name.
func flagsOf(node *kong.Node) []*kong.Flag {
	var flags []*kong.Flag
	for _, group := range node.AllFlags(true) {
		flags = append(flags, group...)
	}
	slices.SortFunc(flags, func(a, b *kong.Flag) int { return strings.Compare(a.Name, b.Name) })
	return flags
}

// values returns the values that a flag or argument may have, or nil for any.
func values(v *kong.Value) []string {
	if v.Enum == "" {
		return nil
	}
	return v.EnumSlice()
}

// takesStream reports whether an argument or a flag is the name of an existing stream.
func takesStream(v *kong.Value) bool {
	return v.Tag.Get("complete") == "stream" || v.Flag != nil && (v.Name == "stream" || v.Name == "into")
}

// listStreams is a shell command that prints the names of the streams.
const listStreams = "datasink streams ls 2>/dev/null | awk 'NR > 1 { print $1 }'"

// bashCompletion returns the script for bash, and for zsh in its bash mode.
func bashCompletion(app *kong.Application) string {
	var cases, flagValues strings.Builder
	seen := make(map[string]bool)
	commands(app, func(path string, node *kong.Node) {
		var words []string
		for _, child := range node.Children {
			if !child.Hidden {
				words = append(words, child.Name)
			}
		}
		for _, p := range node.Positional {
			words = append(words, values(p)...)
			if takesStream(p) {
				words = append(words, `'"$streams"'`) // out of the quotes
			}
		}
		for _, f := range flagsOf(node) {
			words = append(words, "--"+f.Name)
			if enum := values(f.Value); enum != nil && !seen[f.Name] {
				seen[f.Name] = true
				fmt.Fprintf(&flagValues, "    --%s) words='%s' ;;\n", f.Name, strings.Join(enum, " "))
			}
		}
		fmt.Fprintf(&cases, "      '%s') words='%s' ;;\n", path, strings.Join(words, " "))
	})
	return fmt.Sprintf(`_%[1]s() {
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} path='' words='' w i
  if [ "$before" = '=' ]; then before=${COMP_WORDS[COMP_CWORD-2]}; fi
  if [ "$word" = '=' ]; then word=''; fi
  local streams="$(%[6]s)"
  case $before in
    --stream|--into) words=$streams ;;
%[2]s  esac
  if [ -z "$words" ]; then
    for ((i = 1; i < COMP_CWORD; i++)); do
      w=${COMP_WORDS[i]}
      case " %[3]s " in *" $path${path:+ }$w "*) ;; *) continue ;; esac
      case "$path${path:+ }$w" in
%[4]s      *) continue ;;
      esac
      path="$path${path:+ }$w"
    done
    case $path in
%[5]s    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$word"))
  if [ ${#COMPREPLY[@]} -eq 0 ]; then COMPREPLY=($(compgen -f -- "$word")); fi
}
complete -o filenames -F _%[1]s %[1]s
`, app.Name, &flagValues, strings.Join(paths(app), " "), pathCases(app), &cases, listStreams)
}

// paths returns the path of every command.
func paths(app *kong.Application) []string {
	var all []string
	commands(app, func(path string, _ *kong.Node) {
		if path != "" {
			all = append(all, path)
		}
	})
	return all
}

// pathCases returns a case pattern for every path.
func pathCases(app *kong.Application) string {
	var b strings.Builder
	for _, path := range paths(app) {
		fmt.Fprintf(&b, "      '%s') ;;\n", path)
	}
	return b.String()
}

// fishCompletion returns the script for fish.
func fishCompletion(app *kong.Application) string {
	var b strings.Builder
	quote := func(s string) string {
		return "'" + strings.ReplaceAll(strings.ReplaceAll(s, `\`, `\\`), "'", `\'`) + "'"
	}
	commands(app, func(path string, node *kong.Node) {
		condition := "__fish_use_subcommand"
		if path != "" {
			condition = "string match -q -r -- '^" + app.Name + " (-\\S+ )*" + path + "( |$)' (commandline -cp)"
		}
		for _, child := range node.Children {
			if !child.Hidden {
				fmt.Fprintf(&b, "complete -c %s -f -n %s -a %s -d %s\n", app.Name, quote(condition), child.Name, quote(child.Help))
			}
		}
		if !node.Leaf() {
			return
		}
		for _, p := range node.Positional {
			if enum := values(p); enum != nil {
				fmt.Fprintf(&b, "complete -c %s -f -n %s -a %s\n", app.Name, quote(condition), quote(strings.Join(enum, " ")))
			}
			if takesStream(p) {
				fmt.Fprintf(&b, "complete -c %s -n %s -a %s\n", app.Name, quote(condition), quote("("+listStreams+")"))
			}
		}
		for _, f := range flagsOf(node) {
			line := fmt.Sprintf("complete -c %s -n %s -l %s -d %s", app.Name, quote(condition), f.Name, quote(f.Help))
			if enum := values(f.Value); enum != nil {
				line += " -x -a " + quote(strings.Join(enum, " "))
			} else if takesStream(f.Value) {
				line += " -x -a " + quote("("+listStreams+")")
			} else if !f.IsBool() {
				line += " -r"
			}
			b.WriteString(line + "\n")
		}
	})
	return b.String()
}
