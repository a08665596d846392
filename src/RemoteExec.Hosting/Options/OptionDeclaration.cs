using System.CommandLine;
using RemoteExec.Core;

namespace RemoteExec.Hosting;

/// <summary>One line of an option table.</summary>
/// <param name="Name">In kebab-case: <c>max-cas-size</c>.</param>
/// <param name="Placeholder">What stands for the value in the help text, such as SIZE; null for a flag.</param>
/// <param name="Default">As a person would write it; null when there is none.</param>
/// <param name="Repeats">Whether several values make a list.</param>
/// <param name="SplitsAtCommas">Whether one text may hold several of them.</param>
/// <param name="DefaultWords">The default in words, where it is another on each machine.</param>
/// <param name="IsHidden">Understood, and in no list: what is refused with a better sentence than that nobody knows it.</param>
internal sealed record OptionDeclaration(
    string Name, string? Placeholder, string? Default, string Help, bool Repeats = false, bool SplitsAtCommas = false,
    string? DefaultWords = null, bool IsHidden = false)
{
    public const string EnvironmentPrefix = "REMOTEEXEC__";

    public bool IsFlag => Placeholder is null;

    public string Flag => "--" + Name;

    /// <summary><c>max-cas-size</c> is <c>REMOTEEXEC__MAX_CAS_SIZE</c>.</summary>
    public string EnvironmentName => EnvironmentPrefix + Name.Replace('-', '_').ToUpperInvariant();

    /// <summary>Whether a key means this option, in whatever spelling: kebab-case, PascalCase, UPPER_CASE.</summary>
    public bool IsKey(string key) => NearestName.Normalise(key) == NearestName.Normalise(Name);

    /// <summary>For the parser of the command line: its texts only, whatever they mean.</summary>
    public Option<string[]> ToOption() => new(Flag, Name == OptionReader.Help ? ["-h", "-?"] : [])
    {
        Arity = IsFlag ? ArgumentArity.ZeroOrMore : ArgumentArity.OneOrMore,
        AllowMultipleArgumentsPerToken = false,
    };
}
