namespace RemoteExec.Core;

/// <summary>
/// Options on the command line: <c>--name VALUE</c> or <c>--name=VALUE</c>; a flag's value, where one is wanted, comes after
/// <c>=</c> only. The last one wins, so that a script can put its defaults before what its caller adds.
/// </summary>
internal static class CommandLineSource
{
    public static Dictionary<string, OptionSetting> Read(
        string program, IReadOnlyList<OptionDeclaration> declarations, IReadOnlyList<string> arguments, List<string> errors)
    {
        var settings = new Dictionary<string, OptionSetting>();
        for (int i = 0; i < arguments.Count; i++)
        {
            string argument = arguments[i] is "-h" or "-?" ? "--help" : arguments[i];
            int equals = argument.IndexOf('=', StringComparison.Ordinal);
            string flag = equals < 0 ? argument : argument[..equals];

            if (!flag.StartsWith("--", StringComparison.Ordinal))
            {
                errors.Add($"'{argument}': {program} takes options only, as --name VALUE; see {program} --help");
                continue;
            }

            if (declarations.FirstOrDefault(option => option.Name == flag[2..]) is not { } declaration)
            {
                string suggestion = NearestName.Suggestion(flag, declarations.Select(option => "--" + option.Name));
                errors.Add($"{flag}: {program} has no such option.{suggestion} See {program} --help");
                // Its value, if that is what follows, would only be a second complaint about the same slip.
                bool valueFollows = equals < 0 && i + 1 < arguments.Count && !arguments[i + 1].StartsWith('-');
                if (valueFollows) i++;
                continue;
            }

            string value;
            if (equals >= 0)
                value = argument[(equals + 1)..];
            else if (declaration.IsFlag)
                value = "true";
            else if (i + 1 < arguments.Count && !arguments[i + 1].StartsWith("--", StringComparison.Ordinal))
                value = arguments[++i];
            else
            {
                errors.Add($"{flag}: its value is missing; write {flag} {declaration.Placeholder}");
                continue;
            }

            var earlier = declaration.Repeats ? settings.GetValueOrDefault(declaration.Name)?.Values ?? [] : [];
            settings[declaration.Name] = new OptionSetting(flag, [.. earlier, value]);
        }

        return settings;
    }
}
