namespace RemoteExec.Core;

/// <summary>One line of an option table.</summary>
/// <param name="Name">In kebab-case: <c>max-cas-size</c>.</param>
/// <param name="Placeholder">What stands for the value in the help text, such as SIZE; null for a flag.</param>
/// <param name="Default">As a person would write it; null when there is none.</param>
/// <param name="Repeats">Whether several values make a list.</param>
internal sealed record OptionDeclaration(string Name, string? Placeholder, string? Default, string Help, bool Repeats)
{
    public const string EnvironmentPrefix = "REMOTEEXEC__";

    public bool IsFlag => Placeholder is null;

    /// <summary><c>max-cas-size</c> is <c>REMOTEEXEC__MAX_CAS_SIZE</c>.</summary>
    public string EnvironmentName => EnvironmentPrefix + Name.Replace('-', '_').ToUpperInvariant();
}
