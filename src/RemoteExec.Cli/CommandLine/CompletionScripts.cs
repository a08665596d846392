using System.CommandLine;
using System.Text;

namespace RemoteExec.Cli;

/// <summary>What shells want to know in order to complete our verbs and options: made from the very tables that the parser reads.</summary>
internal static class CompletionScripts
{
    public static string Bash(RootCommand root)
    {
        var cases = new StringBuilder();
        foreach (var verb in Verbs(root))
            cases.Append($"        {verb.Name}) words='{Words(root, verb)}' ;;\n");
        string verbs = string.Join(' ', Verbs(root).Select(verb => verb.Name));
        return $$"""
            # bash completion of rexec
            _rexec() {
                local word=${COMP_WORDS[COMP_CWORD]} verb='' words='' i
                for ((i = 1; i < COMP_CWORD; i++)); do
                    case " {{verbs}} " in *" ${COMP_WORDS[i]} "*) verb=${COMP_WORDS[i]}; break ;; esac
                done
                case $verb in
            {{cases.ToString().TrimEnd()}}
                    *) words='{{verbs}} {{Words(root, root)}}' ;;
                esac
                COMPREPLY=()
                if [[ -z $verb || $word == -* ]]; then
                    COMPREPLY=($(compgen -W "$words" -- "$word"))
                fi
            }
            complete -o default -F _rexec rexec

            """;
    }

    public static string Zsh(RootCommand root)
    {
        var text = new StringBuilder("#compdef rexec\n# zsh completion of rexec\n_rexec() {\n    local -a verbs\n    verbs=(\n");
        foreach (var verb in Verbs(root))
            text.Append($"        '{verb.Name}:{Quoted(verb.Description)}'\n");
        text.Append("    )\n    if (( CURRENT == 2 )); then\n        _describe verb verbs\n        return\n    fi\n    case $words[2] in\n");
        foreach (var verb in Verbs(root))
        {
            text.Append($"        {verb.Name})\n            _arguments '*:file:_files'");
            foreach (var option in OptionsOf(root, verb))
                text.Append($" \\\n                '{(Repeats(option) ? "*" : "")}{option.Name}[{Quoted(option.Description).Replace("[", "\\[", StringComparison.Ordinal).Replace("]", "\\]", StringComparison.Ordinal)}]{(TakesValue(option) ? $":{option.HelpName ?? "value"}:_files" : "")}'");
            text.Append("\n            ;;\n");
        }

        return text.Append("    esac\n}\n_rexec \"$@\"\n").ToString();
    }

    public static string Fish(RootCommand root)
    {
        var text = new StringBuilder("# fish completion of rexec\n");
        foreach (var verb in Verbs(root))
            text.Append($"complete -c rexec -n __fish_use_subcommand -f -a {verb.Name} -d '{Quoted(verb.Description)}'\n");
        foreach (var verb in Verbs(root))
        {
            foreach (var option in OptionsOf(root, verb))
            {
                string shorts = string.Concat(option.Aliases.Where(alias => alias.Length == 2).Select(alias => $" -s {alias[1]}"));
                text.Append($"complete -c rexec -n '__fish_seen_subcommand_from {verb.Name}' -l {option.Name.TrimStart('-')}{shorts}{(TakesValue(option) ? " -r" : "")} -d '{Quoted(option.Description)}'\n");
            }
        }

        return text.ToString();
    }

    private static IEnumerable<Command> Verbs(RootCommand root) => root.Subcommands;

    private static IEnumerable<Option> OptionsOf(RootCommand root, Command verb) =>
        verb.Options.Concat(root.Options.Where(option => option.Recursive)).DistinctBy(option => option.Name);

    private static string Words(RootCommand root, Command verb) =>
        string.Join(' ', OptionsOf(root, verb).SelectMany(option => option.Aliases.Where(alias => alias.StartsWith('-')).Prepend(option.Name)).Distinct());

    private static bool TakesValue(Option option) => option.Arity.MinimumNumberOfValues > 0;

    private static bool Repeats(Option option) => option.Arity.MaximumNumberOfValues > 1;

    // Single quotes in all three shells; a description has none, and a colon would end it in zsh.
    private static string Quoted(string? text) => (text ?? "").Replace("'", "", StringComparison.Ordinal).Replace(":", "\\:", StringComparison.Ordinal);
}
