using System.Globalization;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Configuration.Memory;
using RemoteExec.Core;

namespace RemoteExec.Hosting;

/// <summary>One source of options: a configuration provider, and how the person who set a key would point at it.</summary>
internal sealed class OptionSource
{
    private readonly IConfigurationProvider _provider;
    private readonly Func<string, string> _origin;
    private readonly Func<string, string> _source;

    /// <param name="provider">Its keys are names of options in any spelling: kebab-case, PascalCase, UPPER_CASE.</param>
    /// <param name="origin">From a key to <see cref="OptionSetting.Origin"/>.</param>
    /// <param name="source">From a key to <see cref="OptionSetting.Source"/>.</param>
    public OptionSource(IConfigurationProvider provider, Func<string, string> origin, Func<string, string> source)
    {
        (_provider, _origin, _source) = (provider, origin, source);
        provider.Load();
        Keys = [.. provider.GetChildKeys([], parentPath: null).Distinct()];
    }

    /// <summary>As they are spelled there.</summary>
    public IReadOnlyList<string> Keys { get; }

    public static OptionSource Of(
        IEnumerable<(string Key, IReadOnlyList<string> Values)> settings, Func<string, string> origin, Func<string, string> source)
    {
        var data = new Dictionary<string, string?>();
        foreach (var (key, values) in settings)
        {
            for (int i = 0; i < values.Count; i++)
                data[string.Create(CultureInfo.InvariantCulture, $"{key}{ConfigurationPath.KeyDelimiter}{i}")] = values[i];
        }

        return new OptionSource(new MemoryConfigurationProvider(new MemoryConfigurationSource { InitialData = data }), origin, source);
    }

    /// <summary>Whether a key means this option.</summary>
    public static bool IsKeyOf(string key, OptionDeclaration option) => NearestName.Normalise(key) == NearestName.Normalise(option.Name);

    /// <summary>What is said here about an option; null when nothing is.</summary>
    public OptionSetting? Find(OptionDeclaration option) => Keys.FirstOrDefault(key => IsKeyOf(key, option)) is { } key
        ? new OptionSetting(_origin(key), _source(key), ValuesOf(key))
        : null;

    // A list is numbered children (redis:0, redis:1); children of other names are an object, which is no option.
    private List<string?> ValuesOf(string key)
    {
        string[] children = [.. _provider.GetChildKeys([], key).Distinct()];
        return children.Length == 0
            ? [TextOf(key)]
            : [.. children.Select(child => char.IsAsciiDigit(child[0]) ? TextOf(ConfigurationPath.Combine(key, child)) : null)];
    }

    private string? TextOf(string path) => _provider.TryGet(path, out string? text) ? text : null;
}
