using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;

namespace RemoteExec.Core;

/// <summary>
/// Declares an option and reads its value, in one call. A value that does not parse is
/// remembered as an error and answered by the default, so that one start reports everything that is wrong.
/// </summary>
public sealed partial class OptionReader
{
    internal const string Config = "config";
    internal const string Help = "help";

    private const string SizeForm = "a size; write a number and a unit, such as 10GB or 10GiB";
    private const string HostPortForm = "an address; write HOST:PORT, such as 127.0.0.1:8980 or [::1]:8980";

    private readonly IReadOnlyList<Dictionary<string, OptionSetting>> _sources; // strongest first
    private readonly List<OptionDeclaration> _declarations = [];
    private readonly List<string> _errors = [];

    internal OptionReader(IReadOnlyList<Dictionary<string, OptionSetting>> sources) => _sources = sources;

    private delegate bool Parse<TValue>(string text, out TValue value);

    internal IReadOnlyList<OptionDeclaration> Declarations => _declarations;

    internal IReadOnlyList<string> Errors => _errors;

    public string Text(string name, string defaultText, string help, string placeholder = "TEXT") =>
        One<string>(name, placeholder, defaultText, help, "a text", TryParseText)!;

    /// <summary>Null when it is not set.</summary>
    public string? OptionalText(string name, string help, string placeholder = "TEXT") =>
        One<string>(name, placeholder, null, help, "a text", TryParseText);

    /// <summary>Bytes.</summary>
    public long Size(string name, string defaultText, string help) =>
        One<long>(name, "SIZE", defaultText, help, SizeForm, UnitText.TryParseSize);

    /// <summary>Bytes; null when it is not set.</summary>
    public long? OptionalSize(string name, string help) =>
        One(name, "SIZE", null, help, SizeForm, (string text, out long? value) =>
        {
            bool isSize = UnitText.TryParseSize(text, out long bytes);
            value = bytes;
            return isSize;
        });

    public TimeSpan Duration(string name, string defaultText, string help) =>
        One<TimeSpan>(name, "TIME", defaultText, help, "a duration; write a number and a unit, such as 100ms, 30s or 5m", UnitText.TryParseDuration);

    public int Count(string name, int defaultValue, string help, int min = 0, int max = int.MaxValue)
    {
        string range = max == int.MaxValue ? $"a whole number of at least {min}" : $"a whole number from {min} to {max}";
        return One(name, "N", defaultValue.ToString(CultureInfo.InvariantCulture), help, range, (string text, out int value) =>
            int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value) && value >= min && value <= max);
    }

    /// <summary>Off unless given: <c>--name</c>; elsewhere <c>true</c> or <c>false</c>.</summary>
    public bool Flag(string name, string help) =>
        One<bool>(name, null, null, help, "true or false", bool.TryParse);

    public HostPort HostPort(string name, string defaultText, string help) =>
        One<HostPort>(name, "HOST:PORT", defaultText, help, HostPortForm, Core.HostPort.TryParse);

    /// <summary>Several, separated by commas or by repeating the option; none when it is not set and has no default.</summary>
    public IReadOnlyList<HostPort> HostPorts(string name, string? defaultText, string help) =>
        Many<HostPort>(name, "HOST:PORT", defaultText, help, HostPortForm, Core.HostPort.TryParse);

    /// <summary>Several texts, separated by commas or by repeating the option.</summary>
    public IReadOnlyList<string> List(string name, string? defaultText, string help, string placeholder = "TEXT") =>
        Many<string>(name, placeholder, defaultText, help, "a text", TryParseText);

    /// <summary>Platform properties. Repeat the option for several: a value may contain commas.</summary>
    public IReadOnlyList<PlatformProperty> Properties(string name, string help) =>
        Many(name, "NAME=VALUE", null, help, "NAME=VALUE, such as OSFamily=linux", splitsAtCommas: false,
            parse: (string text, out PlatformProperty value) => PlatformProperty.TryParse(text, out value, out _));

    /// <summary>One of the enum's names, written in kebab-case.</summary>
    public TEnum Choice<TEnum>(string name, TEnum defaultValue, string help)
        where TEnum : struct, Enum =>
        One(name, Alternatives<TEnum>("|"), Kebab(defaultValue.ToString()), help, Form<TEnum>(), (Parse<TEnum>)TryParseChoice);

    /// <summary>Several of the enum's names, written in kebab-case.</summary>
    public IReadOnlyList<TEnum> Choices<TEnum>(string name, string defaultText, string help)
        where TEnum : struct, Enum =>
        Many(name, Alternatives<TEnum>("|"), defaultText, help, Form<TEnum>(), (Parse<TEnum>)TryParseChoice);

    /// <summary>The options that every program has. Their values are used before the table is read.</summary>
    internal void DeclareCommon()
    {
        OptionalText(Config, "read options from a JSON file", "FILE");
        Flag(Help, "show this text");
    }

    private static bool TryParseText(string text, out string value)
    {
        value = text;
        return text.Length > 0;
    }

    private static bool TryParseChoice<TEnum>(string text, out TEnum value)
        where TEnum : struct, Enum
    {
        foreach (var candidate in Enum.GetValues<TEnum>())
        {
            value = candidate;
            if (Kebab(candidate.ToString()) == text) return true;
        }

        value = default;
        return false;
    }

    private static string Form<TEnum>()
        where TEnum : struct, Enum => $"one of {Alternatives<TEnum>(", ")}";

    private static string Alternatives<TEnum>(string separator)
        where TEnum : struct, Enum => string.Join(separator, Enum.GetNames<TEnum>().Select(Kebab));

    private static string Kebab(string pascal) => InnerCapital().Replace(pascal, "-$0").ToLowerInvariant();

    [GeneratedRegex("(?<!^)[A-Z]")]
    private static partial Regex InnerCapital();

    private TValue? One<TValue>(
        string name, string? placeholder, string? defaultText, string help, string form, Parse<TValue> parse)
    {
        var declaration = Declare(new OptionDeclaration(name, placeholder, defaultText, help, Repeats: false));
        TValue? defaultValue = defaultText is null ? default : ParseDefault(declaration, defaultText, parse);
        if (SettingOf(name) is not { } setting) return defaultValue;

        if (setting.Values.Count != 1)
            _errors.Add($"{setting.Origin}: takes one value, {setting.Values.Count} are given");
        else if (TryParse(setting, setting.Values[0], form, parse, out var value))
            return value;
        return defaultValue;
    }

    private List<TValue> Many<TValue>(
        string name, string placeholder, string? defaultText, string help, string form, Parse<TValue> parse, bool splitsAtCommas = true)
    {
        var declaration = Declare(new OptionDeclaration(name, placeholder, defaultText, help, Repeats: true));
        if (SettingOf(name) is not { } setting)
            return defaultText is null ? [] : [.. Split(defaultText).Select(text => ParseDefault(declaration, text, parse))];

        var values = new List<TValue>();
        foreach (string text in splitsAtCommas ? setting.Values.SelectMany(Split) : setting.Values)
        {
            if (TryParse(setting, text, form, parse, out var value)) values.Add(value);
        }

        return values;
    }

    private static string[] Split(string text) => text.Split(',', StringSplitOptions.TrimEntries);

    private static TValue ParseDefault<TValue>(OptionDeclaration declaration, string text, Parse<TValue> parse) =>
        parse(text, out var value)
            ? value
            : throw new UnreachableException($"the default '{text}' of --{declaration.Name} does not parse");

    private bool TryParse<TValue>(OptionSetting setting, string text, string form, Parse<TValue> parse, out TValue value)
    {
        if (parse(text, out value)) return true;

        _errors.Add(text.Length == 0 ? $"{setting.Origin}: is empty, expected {form}" : $"{setting.Origin}: '{text}' is not {form}");
        return false;
    }

    private OptionDeclaration Declare(OptionDeclaration declaration)
    {
        Debug.Assert(_declarations.TrueForAll(other => other.Name != declaration.Name), "an option is declared once");
        _declarations.Add(declaration);
        return declaration;
    }

    private OptionSetting? SettingOf(string name)
    {
        foreach (var source in _sources)
        {
            if (source.TryGetValue(name, out var setting)) return setting;
        }

        return null;
    }
}
