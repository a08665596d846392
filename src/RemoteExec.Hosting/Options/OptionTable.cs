using System.Collections;
using System.Reflection;

namespace RemoteExec.Hosting;

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
    /// <summary>The name of the program, as a person calls it.</summary>
    public string Program => program;

    /// <summary>Reads the options: defaults, then the file named by --config, the environment, the command line; later wins.</summary>
    public OptionsOutcome<T> Read(IReadOnlyList<string> arguments, IDictionary environment)
    {
        var declarations = Declare();
        var errors = new List<string>();
        var flags = CommandLineSource.Read(program, declarations, arguments, errors);
        if (flags.Keys.Contains(OptionReader.Help)) return Answer(OptionsText.Help(program, summary, declarations));
        if (flags.Keys.Contains(OptionReader.Version)) return Answer($"{program} {VersionText}{Environment.NewLine}");

        // Questions are asked on the command line only, and a file names no further file.
        OptionDeclaration[] settable = [.. declarations.Where(option => option.Name is not (OptionReader.Help or OptionReader.Version or OptionReader.PrintConfig))];
        OptionDeclaration config = settable.Single(option => option.Name == OptionReader.Config);
        List<OptionSource> sources = [flags, EnvironmentSource.Read(program, settable, environment, errors)];
        if (new OptionReader(sources).SettingOf(config) is { Values: [{ } path] } && ConfigFileSource.Read(program, [.. settable.Except([config])], path, errors) is { } file)
            sources.Add(file);

        var reader = new OptionReader(sources);
        T options = make(reader);
        errors.AddRange(reader.Errors);
        // Rules talk about values; with a value that could not be read they would accuse the default.
        if (errors.Count == 0 && rules is not null) errors.AddRange(rules(options));
        if (errors.Count > 0) return new(null, null, errors);

        return flags.Keys.Contains(OptionReader.PrintConfig) ? Answer(OptionsText.Values(reader)) : new(options, null, []);
    }

    /// <summary>The table as a part of a page: what <c>--help</c> says, the same on every machine.</summary>
    public string Page => OptionsText.Page(program, summary, Declare());

    private static string VersionText => typeof(T).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion; // the SDK writes it

    private static OptionsOutcome<T> Answer(string text) => new(null, text, []);

    private IReadOnlyList<OptionDeclaration> Declare()
    {
        var reader = new OptionReader([]);
        make(reader);
        reader.DeclareCommon();
        return reader.Declarations;
    }
}
