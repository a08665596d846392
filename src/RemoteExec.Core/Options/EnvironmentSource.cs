using System.Collections;

namespace RemoteExec.Core;

/// <summary>Options in the environment: <c>REMOTEEXEC__MAX_CAS_SIZE</c> is <c>max-cas-size</c>. Lists are separated by commas.</summary>
internal static class EnvironmentSource
{
    public static Dictionary<string, OptionSetting> Read(
        string program, IReadOnlyList<OptionDeclaration> declarations, IDictionary environment, List<string> errors)
    {
        var settings = new Dictionary<string, OptionSetting>();
        foreach (DictionaryEntry variable in environment)
        {
            string name = (string)variable.Key;
            if (!name.StartsWith(OptionDeclaration.EnvironmentPrefix, StringComparison.Ordinal)) continue;

            string origin = $"environment variable {name}";
            if (declarations.FirstOrDefault(option => option.EnvironmentName == name) is not { Name: not OptionReader.Help } declaration)
            {
                string suggestion = NearestName.Suggestion(name, declarations.Select(option => option.EnvironmentName));
                errors.Add($"{origin}: {program} has no such option.{suggestion} Unset it, or see {program} --help");
                continue;
            }

            string value = (string?)variable.Value ?? "";
            settings[declaration.Name] = new OptionSetting(origin, declaration.Repeats ? value.Split(',') : [value]);
        }

        return settings;
    }
}
