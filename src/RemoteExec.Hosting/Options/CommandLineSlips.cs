using System.CommandLine;
using System.CommandLine.Parsing;
using RemoteExec.Core;

namespace RemoteExec.Hosting;

/// <summary>What is wrong with a command line, a sentence each: what was not understood, and what was probably meant.</summary>
public static class CommandLineSlips
{
    /// <param name="program">With its verb, if it has verbs: what <c>--help</c> is asked of.</param>
    public static IEnumerable<string> In(ParseResult parsed, string program)
    {
        var names = Names(parsed.CommandResult).ToLookup(name => name.StartsWith('-'));
        bool hasVerbs = names[false].Any();
        bool hasSlipped = false;
        foreach (string token in Strange(parsed))
        {
            // What follows an unknown word is its value or its argument: only a second complaint about the same slip.
            bool isOption = token.StartsWith('-');
            if (hasSlipped && !isOption) continue;

            hasSlipped |= isOption || hasVerbs;
            string name = token.Split('=')[0];
            if (isOption)
                yield return $"{name}: {program} has no such option.{NearestName.Suggestion(name, names[true])} See {program} --help";
            else if (hasVerbs)
                yield return $"'{token}': {program} has no such verb.{NearestName.Suggestion(name, names[false])} See {program} --help";
            else
                yield return $"'{token}': {program} takes options only, as --name VALUE; see {program} --help";
        }
    }

    /// <summary>
    /// What nothing takes. Of a command line that is wrong, also what an argument took although it looks like an option; and a
    /// directive ("[name]"), which is a thing of the parser's that no program of ours has.
    /// </summary>
    private static IEnumerable<string> Strange(ParseResult parsed)
    {
        bool isWords = false;
        foreach (var token in parsed.Tokens)
        {
            isWords |= token.Type == TokenType.DoubleDash;
            bool looksLikeOption = !isWords && token.Type == TokenType.Argument && token.Value.StartsWith("--", StringComparison.Ordinal);
            if (token.Type == TokenType.Directive || parsed.UnmatchedTokens.Contains(token.Value) || (looksLikeOption && parsed.Errors.Count > 0))
                yield return token.Value;
        }
    }

    private static IEnumerable<string> Names(CommandResult command)
    {
        var inherited = command.Parent is CommandResult parent
            ? parent.Command.Options.Where(option => option.Recursive)
            : [];
        return command.Command.Options.Concat(inherited).Select(option => option.Name)
            .Concat(command.Command.Subcommands.Select(verb => verb.Name));
    }
}
