using System.CommandLine;
using Microsoft.Extensions.Configuration;

namespace RemoteExec.Hosting;

/// <summary>
/// Options on the command line: <c>--name VALUE</c> or <c>--name=VALUE</c>. The last one wins, so that a script can put its
/// defaults before what its caller adds.
/// </summary>
internal static class CommandLineSource
{
    // No files of arguments (@file) and no bundles of letters (-xyz): they would turn a slip into a wish.
    private static readonly ParserConfiguration Plain = new() { ResponseFileTokenReplacer = null, EnablePosixBundling = false };

    public static OptionSource Read(
        string program, IReadOnlyList<OptionDeclaration> declarations, IReadOnlyList<string> arguments, List<string> errors)
    {
        // A plain command: a root command brings options and directives that are not in our table.
        var command = new Command(program);
        foreach (var declaration in declarations)
            command.Options.Add(declaration.ToOption());

        var parsed = command.Parse([.. arguments], Plain);
        errors.AddRange(CommandLineSlips.In(parsed, program));
        var settings = new List<KeyValuePair<string, string?>>();
        foreach (var (declaration, option) in declarations.Zip(command.Options))
        {
            if (parsed.GetResult(option) is not { IdentifierTokenCount: > 0 } result) continue;

            string[] values = [.. result.Tokens.Select(token => token.Value)];
            // The parser takes the next option for the value of one that has none; no value of ours begins like that.
            if (!declaration.IsFlag && (values is [] || values.Any(value => value.StartsWith("--", StringComparison.Ordinal))))
                errors.Add($"{declaration.Flag}: its value is missing; write {declaration.Flag} {declaration.Placeholder}");
            else
                settings.AddRange(Numbered(declaration.Name, values is [] ? ["true"] : declaration.Repeats ? values : values[^1..]));
        }

        return OptionSource.Of(settings, origin: name => "--" + name, place: _ => "command line");
    }

    /// <summary>A list as configuration has it.</summary>
    public static IEnumerable<KeyValuePair<string, string?>> Numbered(string key, string[] values) =>
        values.Select((value, i) => KeyValuePair.Create(ConfigurationPath.Combine(key, $"{i}"), (string?)value));
}
