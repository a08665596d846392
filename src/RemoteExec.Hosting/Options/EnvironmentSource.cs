using System.Collections;

namespace RemoteExec.Hosting;

/// <summary>Options in the environment: <c>REMOTEEXEC__MAX_CAS_SIZE</c> is <c>max-cas-size</c>. Lists are separated by commas.</summary>
internal static class EnvironmentSource
{
    public static OptionSource Read(string program, IReadOnlyList<OptionDeclaration> known, IDictionary environment, List<string> errors)
    {
        const string Prefix = OptionDeclaration.EnvironmentPrefix;
        var settings =
            from name in environment.Keys.Cast<string>()
            where name.StartsWith(Prefix, StringComparison.Ordinal)
            let key = name[Prefix.Length..]
            let text = (string?)environment[name] ?? ""
            let isList = known.Any(option => option.Repeats && option.IsKey(key))
            from setting in CommandLineSource.Numbered(key, isList ? text.Split(',') : [text])
            select setting;
        var source = OptionSource.Of(settings, Origin, Origin);
        errors.AddRange(source.Unknown(program, known, option => option.EnvironmentName, Prefix));
        return source;

        static string Origin(string key) => $"environment variable {Prefix}{key}";
    }
}
