using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Logging;
using RemoteExec.Core;

namespace RemoteExec.Hosting;

/// <summary>
/// Declares an option and reads its value, in one call. A value that does not parse is
/// remembered as an error and answered by the default, so that one start reports everything that is wrong.
/// </summary>
public sealed partial class OptionReader
{
    internal const string Config = "config";
    internal const string Help = "help";
    internal const string PrintConfig = "print-config";
    internal const string Version = "version";

    private const string SizeForm = "a size; write a number and a unit, such as 10GB or 10GiB";
    private const string SizeOrShareForm = "a size; write a number and a unit, such as 10GB or 10GiB, or a share such as 50%";
    private const string HostPortForm = "an address; write HOST:PORT, such as 127.0.0.1:8980 or [::1]:8980";

    private readonly IReadOnlyList<OptionSource> _sources; // strongest first
    private readonly List<OptionDeclaration> _declarations = [];
    private readonly List<string> _errors = [];

    internal OptionReader(IReadOnlyList<OptionSource> sources) => _sources = sources;

    private delegate bool Parse<TValue>(string text, out TValue value);

    internal IReadOnlyList<OptionDeclaration> Declarations => _declarations;

    internal IReadOnlyList<string> Errors => _errors;

    /// <param name="defaultWords">The default in words, where it is another on each machine.</param>
    public string Text(string name, string defaultText, string help, string placeholder = "TEXT", string? defaultWords = null) =>
        One<string>(new(name, placeholder, defaultText, help, DefaultWords: defaultWords), "a text", TryParseText)!;

    /// <summary>Null when it is not set.</summary>
    public string? OptionalText(string name, string help, string placeholder = "TEXT") =>
        One<string>(new(name, placeholder, null, help), "a text", TryParseText);

    /// <summary>Bytes.</summary>
    public long Size(string name, string defaultText, string help) =>
        One<long>(new(name, "SIZE", defaultText, help), SizeForm, UnitText.TryParseSize);

    /// <summary>Bytes; null when it is not set.</summary>
    public long? OptionalSize(string name, string help) =>
        Read<long>(new(name, "SIZE", null, help), SizeForm, UnitText.TryParseSize) is [var bytes, ..] ? bytes : null;

    /// <summary>Bytes, or percent of something; null when it is not set.</summary>
    public SizeOrShare? OptionalSizeOrShare(string name, string help) =>
        Read<SizeOrShare>(new(name, "SIZE", null, help), SizeOrShareForm, SizeOrShare.TryParse) is [var size, ..] ? size : null;

    /// <param name="daysMax">Ten years unless less is said: a date that they are added to is still one.</param>
    public TimeSpan Duration(string name, string defaultText, string help, int daysMax = 3650) => One(
        new(name, "TIME", defaultText, help), $"a duration of no more than {daysMax}d; write a number and a unit, such as 100ms, 30s or 5m",
        (string text, out TimeSpan value) => UnitText.TryParseDuration(text, out value) && value <= TimeSpan.FromDays(daysMax));

    /// <param name="defaultWords">The default in words, where it is another on each machine.</param>
    public int Count(string name, int defaultValue, string help, int min = 0, int max = int.MaxValue, string? defaultWords = null)
    {
        string range = max == int.MaxValue ? $"a whole number of at least {min}" : $"a whole number from {min} to {max}";
        return One(new(name, "N", defaultValue.ToString(CultureInfo.InvariantCulture), help, DefaultWords: defaultWords), range, (string text, out int value) =>
            int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value) && value >= min && value <= max);
    }

    /// <summary>Off unless given: <c>--name</c>; elsewhere <c>true</c> or <c>false</c>.</summary>
    public bool Flag(string name, string help) => One<bool>(new(name, null, null, help), "true or false", bool.TryParse);

    public HostPort HostPort(string name, string defaultText, string help) =>
        One<HostPort>(new(name, "HOST:PORT", defaultText, help), HostPortForm, Core.HostPort.TryParse);

    /// <summary>Several, separated by commas or by repeating the option; none when it is not set and has no default.</summary>
    /// <param name="isHidden">Whether no list of options has it.</param>
    public IReadOnlyList<HostPort> HostPorts(string name, string? defaultText, string help, bool isHidden = false) =>
        Read<HostPort>(new(name, "HOST:PORT", defaultText, help, Repeats: true, SplitsAtCommas: true, IsHidden: isHidden), HostPortForm, Core.HostPort.TryParse);

    /// <summary>Null when it is not set.</summary>
    public HostPort? OptionalHostPort(string name, string help) =>
        Read<HostPort>(new(name, "HOST:PORT", null, help), HostPortForm, Core.HostPort.TryParse) is [var address, ..] ? address : null;

    /// <summary>Platform properties. Repeat the option for several: a value may contain commas.</summary>
    public IReadOnlyList<PlatformProperty> Properties(string name, string help) => Read(
        new(name, "NAME=VALUE", null, help, Repeats: true), "NAME=VALUE, such as OSFamily=linux",
        (string text, out PlatformProperty value) => PlatformProperty.TryParse(text, out value, out _));

    public IReadOnlyList<string> Names(string name, string help) => Read(
        new(name, "NAME", null, help, Repeats: true, SplitsAtCommas: true), "a name",
        (string text, out string value) => (value = text).Length > 0);

    /// <summary>A hash function that digests may have, by its name in resource names, in any case.</summary>
    public DigestFunction DigestFunction(string name, DigestFunction defaultValue, string help)
    {
        string[] names = [.. DigestFunctions.Supported.Select(function => function.WireName())];
        return One<DigestFunction>(
            new(name, string.Join('|', names), defaultValue.WireName(), help), $"one of {string.Join(", ", names)}",
            (string text, out DigestFunction value) => DigestFunctions.TryFromWireName(text.ToLowerInvariant(), out value));
    }

    /// <summary>The least important log line that is written, in the words of the log itself or in .NET's.</summary>
    public LogLevel LogLevel(string name, LogLevel defaultValue, string help) => One<LogLevel>(
        new(name, string.Join('|', LogLevels.Words), LogLevels.WordOf(defaultValue), help), $"one of {string.Join(", ", LogLevels.Words)}", LogLevels.TryParse);

    /// <summary>One of the enum's names, written in kebab-case.</summary>
    public TEnum Choice<TEnum>(string name, TEnum defaultValue, string help)
        where TEnum : struct, Enum =>
        One<TEnum>(new(name, Alternatives<TEnum>("|"), Kebab(defaultValue.ToString()), help), Form<TEnum>(), TryParseChoice);

    /// <summary>Several of the enum's names, written in kebab-case.</summary>
    public IReadOnlyList<TEnum> Choices<TEnum>(string name, string defaultText, string help)
        where TEnum : struct, Enum =>
        Read<TEnum>(new(name, Alternatives<TEnum>("|"), defaultText, help, Repeats: true, SplitsAtCommas: true), Form<TEnum>(), TryParseChoice);

    /// <summary>The options that every program has. Their values are used before the table is read.</summary>
    internal void DeclareCommon()
    {
        OptionalText(Config, "read options from a JSON file", "FILE");
        Flag(PrintConfig, "print every option's value and where it came from, as a file for --config");
        Flag(Version, "print the version");
        Flag(Help, "show this text");
    }

    /// <summary>What the strongest source says about an option; null when it has its default.</summary>
    internal OptionSetting? SettingOf(OptionDeclaration option) => _sources.Select(source => source.Find(option)).FirstOrDefault(said => said is not null);

    /// <summary>The single values in a setting or a default.</summary>
    internal static IEnumerable<string?> Split(OptionDeclaration option, IEnumerable<string?> texts) => option.SplitsAtCommas
        ? texts.SelectMany<string?, string?>(text => text is null ? (string?[])[null] : text.Split(',', StringSplitOptions.TrimEntries))
        : texts;

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

    private TValue? One<TValue>(OptionDeclaration option, string form, Parse<TValue> parse) =>
        Read(option, form, parse) is [var value, ..] ? value : default;

    private List<TValue> Read<TValue>(OptionDeclaration option, string form, Parse<TValue> parse)
    {
        Debug.Assert(_declarations.TrueForAll(other => other.Name != option.Name), "an option is declared once");
        _declarations.Add(option);
        if (SettingOf(option) is not { } setting) return Defaults(option, parse);
        // A list that is empty on purpose: [] in a file, nothing after the sign of equality elsewhere.
        if (option.Repeats && setting.Values is [""]) return [];

        var values = new List<TValue>();
        if (!option.Repeats && setting.Values.Count != 1)
            _errors.Add($"{setting.Origin}: takes one value, {setting.Values.Count} are given");
        else
        {
            foreach (string? text in Split(option, setting.Values))
            {
                if (text is null)
                    _errors.Add($"{setting.Origin}: is an object or null; write {(option.Repeats ? "a list of texts" : "a text")}, or leave it out");
                else if (parse(text, out var value))
                    values.Add(value);
                else
                    _errors.Add(text.Length == 0 ? $"{setting.Origin}: is empty, expected {form}" : $"{setting.Origin}: '{text}' is not {form}");
            }
        }

        return values.Count > 0 || option.Repeats ? values : Defaults(option, parse);
    }

    private static List<TValue> Defaults<TValue>(OptionDeclaration option, Parse<TValue> parse) => option.Default is not { } text
        ? []
        : [.. Split(option, [text]).Select(one => parse(one!, out var value) // our own text, never null
            ? value
            : throw new UnreachableException($"the default '{one}' of --{option.Name} does not parse"))];
}
