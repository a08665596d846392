using System.CommandLine;

namespace RemoteExec.Cli;

/// <summary>
/// Where the remote command begins: at <c>--</c>, or at the first word that is no option of ours and no option's value, as with env(1).
/// What stands before is ours and is checked; what comes after is nobody's business but the command's.
/// </summary>
internal static class RunArguments
{
    /// <summary>The same arguments with <c>--</c> before the command.</summary>
    public static string[] Separate(string[] arguments, Command root, Command run)
    {
        int verb = AfterOptions(arguments, 0, [.. root.Options]);
        if (verb >= arguments.Length || arguments[verb] != run.Name) return arguments;

        int command = AfterOptions(arguments, verb + 1, [.. root.Options, .. run.Options]);
        return command >= arguments.Length || arguments[command] == "--"
            ? arguments
            : [.. arguments[..command], "--", .. arguments[command..]];
    }

    /// <summary>Words before <c>--</c> that look like options and are none, nor the value of one.</summary>
    public static IEnumerable<string> Unknown(string[] arguments, IReadOnlyList<Option> options)
    {
        for (int i = 0; i < arguments.Length && arguments[i] != "--"; i++)
        {
            if (!LooksLikeOption(arguments[i])) continue;
            if (Find(arguments[i], options) is not { } option) yield return arguments[i];
            else if (TakesNext(arguments[i], option)) i++;
        }
    }

    private static int AfterOptions(string[] arguments, int from, IReadOnlyList<Option> options)
    {
        int i = from;
        for (; i < arguments.Length && LooksLikeOption(arguments[i]); i++)
        {
            // The value of an option that we do not know passes for the command; the option is complained about all the same.
            if (Find(arguments[i], options) is { } option && TakesNext(arguments[i], option)) i++;
        }

        return Math.Min(i, arguments.Length);
    }

    // "-" is standard input or output.
    private static bool LooksLikeOption(string word) => word.Length > 1 && word[0] == '-' && word != "--";

    private static Option? Find(string word, IReadOnlyList<Option> options) =>
        options.FirstOrDefault(option => IsName(option, NameOf(word)))
        ?? options.FirstOrDefault(option => IsShort(word) && IsName(option, word[..2])); // -oPATH

    private static bool TakesNext(string word, Option option) =>
        option.Arity.MinimumNumberOfValues > 0 && IsName(option, word);

    private static bool IsName(Option option, string name) => option.Name == name || option.Aliases.Contains(name);

    private static bool IsShort(string word) => word[1] != '-';

    private static string NameOf(string word) => word.IndexOfAny(['=', ':']) is > 0 and var end ? word[..end] : word;
}
