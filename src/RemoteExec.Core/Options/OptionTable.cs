using System.Collections;
using System.Text;

namespace RemoteExec.Core;

/// <summary>
/// The options of one program. The list itself is a class of the program whose property initialisers read from an
/// <see cref="OptionReader"/>, so that name, default, help and type of an option stand in one line:
/// <code>
/// internal sealed class ServerOptions(OptionReader options)
/// {
///     public static OptionTable&lt;ServerOptions&gt; Table { get; } = new("rexec-server", "Serves ...", options => new(options));
///
///     public HostPort Grpc { get; } = options.HostPort("grpc", "127.0.0.1:8980", "where gRPC is served");
///     public long MaxCasSizeBytes { get; } = options.Size("max-cas-size", "10GB", "disk space for blobs");
/// }
/// </code>
/// </summary>
/// <param name="make">Reads every option, always the same ones: it runs once to learn the table and once for the values.</param>
/// <param name="rules">Rules between options; each broken one yields a sentence.</param>
public sealed class OptionTable<T>(
    string program, string summary, Func<OptionReader, T> make, Func<T, IEnumerable<string>>? rules = null)
    where T : class
{
    /// <summary>Reads the options: defaults, then the file named by --config, the environment, the command line; later wins.</summary>
    public OptionsOutcome<T> Read(IReadOnlyList<string> arguments, IDictionary environment)
    {
        var declarations = Declare();
        var errors = new List<string>();
        var flags = CommandLineSource.Read(program, declarations, arguments, errors);
        if (flags.ContainsKey(OptionReader.Help)) return new(null, HelpText(), []);

        var variables = EnvironmentSource.Read(program, declarations, environment, errors);
        var file = ConfigFileSource.Read(program, declarations, PathOfFile(flags, variables), errors);

        var reader = new OptionReader([flags, variables, file]);
        T options = make(reader);
        errors.AddRange(reader.Errors);
        // Rules talk about values; with a value that could not be read they would accuse the default.
        if (errors.Count == 0 && rules is not null) errors.AddRange(rules(options));
        return errors.Count == 0 ? new(options, null, []) : new(null, null, errors);
    }

    /// <summary>What <c>--help</c> shows.</summary>
    public string HelpText()
    {
        var declarations = Declare();
        int width = declarations.Max(option => Usage(option).Length);
        var text = new StringBuilder();
        text.AppendLine(summary).AppendLine();
        text.AppendLine($"Usage: {program} [--OPTION VALUE]...").AppendLine();
        foreach (var option in declarations)
        {
            string byDefault = string.IsNullOrEmpty(option.Default) ? "" : $" [{option.Default}]";
            text.AppendLine($"  {Usage(option).PadRight(width)}  {option.Help}{byDefault}");
        }

        // The first option serves as the example: it is the one a reader has just seen.
        var example = declarations[0];
        text.AppendLine().AppendLine(
            $"""
            Each option is also a key of the --config file ("{example.Name}", or in PascalCase) and an environment
            variable ({example.EnvironmentName}). Later wins: file, environment, command line.
            Sizes are written 10GB (thousands) or 10GiB (1024s); durations 100ms, 30s, 5m, 2h, 1d.
            """);
        return text.ToString();
    }

    private static string Usage(OptionDeclaration option) => option.IsFlag
        ? $"--{option.Name}"
        : $"--{option.Name} {option.Placeholder}{(option.Repeats ? "..." : "")}";

    private static string? PathOfFile(
        Dictionary<string, OptionSetting> flags, Dictionary<string, OptionSetting> variables) =>
        (flags.GetValueOrDefault(OptionReader.Config) ?? variables.GetValueOrDefault(OptionReader.Config))?.Values[0];

    private IReadOnlyList<OptionDeclaration> Declare()
    {
        var reader = new OptionReader([]);
        make(reader);
        reader.DeclareCommon();
        return reader.Declarations;
    }
}
