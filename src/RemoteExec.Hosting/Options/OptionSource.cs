using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Configuration.Memory;
using RemoteExec.Core;

namespace RemoteExec.Hosting;

/// <summary>One source of options: a configuration provider whose keys are names of options in any spelling.</summary>
/// <param name="provider">A list is numbered children (redis:0, redis:1), or one text with commas.</param>
/// <param name="origin">From a key to <see cref="OptionSetting.Origin"/>.</param>
/// <param name="place">From a key to <see cref="OptionSetting.Place"/>.</param>
internal sealed class OptionSource(IConfigurationProvider provider, Func<string, string> origin, Func<string, string> place)
{
    /// <summary>As they are spelled there.</summary>
    public IReadOnlyList<string> Keys { get; } = KeysOf(provider);

    public static OptionSource Of(IEnumerable<KeyValuePair<string, string?>> settings, Func<string, string> origin, Func<string, string> place) =>
        new(new MemoryConfigurationProvider(new MemoryConfigurationSource { InitialData = settings }), origin, place);

    /// <summary>What is said here about an option; null when nothing is.</summary>
    public OptionSetting? Find(OptionDeclaration option) =>
        Keys.FirstOrDefault(option.IsKey) is { } key ? new OptionSetting(origin(key), place(key), ValuesOf(key)) : null;

    /// <summary>What is said about no option, each with what was probably meant.</summary>
    public IEnumerable<string> Unknown(string program, IReadOnlyList<OptionDeclaration> known, Func<OptionDeclaration, string> spelling, string prefix) =>
        from key in Keys
        where !known.Any(option => option.IsKey(key))
        select $"{origin(key)}: {program} has no such option.{NearestName.Suggestion(prefix + key, known.Select(spelling))} See {program} --help";

    private static string[] KeysOf(IConfigurationProvider provider)
    {
        provider.Load();
        return [.. provider.GetChildKeys([], parentPath: null).Distinct()];
    }

    private List<string?> ValuesOf(string key)
    {
        string[] children = [.. provider.GetChildKeys([], key).Distinct()];
        // Children that are not numbered are an object, which is no option's value.
        return children.Length == 0
            ? [TextOf(key)]
            : [.. children.Select(child => char.IsAsciiDigit(child[0]) ? TextOf(ConfigurationPath.Combine(key, child)) : null)];
    }

    private string? TextOf(string path) => provider.TryGet(path, out string? text) ? text : null;
}

/// <summary>What one source says about one option.</summary>
/// <param name="Origin">How the person who set it would point at it: <c>--slots</c>, <c>rexec.json line 3: 'Slots'</c>.</param>
/// <param name="Place">Where it came from, in a list of all options: <c>command line</c>, <c>rexec.json line 3</c>.</param>
/// <param name="Values">Null stands for what is no text.</param>
internal sealed record OptionSetting(string Origin, string Place, IReadOnlyList<string?> Values);
