using System.Collections;

namespace RemoteExec.Hosting;

/// <summary>Options in the environment: <c>REMOTEEXEC__MAX_CAS_SIZE</c> is <c>max-cas-size</c>. Lists are separated by commas.</summary>
internal static class EnvironmentSource
{
    private const string Prefix = OptionDeclaration.EnvironmentPrefix;

    public static OptionSource Read(
        string program, IReadOnlyList<OptionDeclaration> declarations, IDictionary environment, List<string> errors)
    {
        var known = declarations.Where(option => !OptionReader.IsCommand(option)).ToList();
        var settings = new List<(string, IReadOnlyList<string>)>();
        foreach (DictionaryEntry variable in environment)
        {
            string name = (string)variable.Key;
            if (!name.StartsWith(Prefix, StringComparison.Ordinal)) continue;

            if (known.FirstOrDefault(option => option.EnvironmentName == name) is not { } declaration)
            {
                string suggestion = Core.NearestName.Suggestion(name, known.Select(option => option.EnvironmentName));
                errors.Add($"{Origin(name[Prefix.Length..])}: {program} has no such option.{suggestion} Unset it, or see {program} --help");
                continue;
            }

            string value = (string?)variable.Value ?? "";
            settings.Add((name[Prefix.Length..], declaration.Repeats ? value.Split(',') : [value]));
        }

        return OptionSource.Of(settings, Origin, Origin);
    }

    private static string Origin(string key) => $"environment variable {Prefix}{key}";
}
