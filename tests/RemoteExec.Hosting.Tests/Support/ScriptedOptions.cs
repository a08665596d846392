namespace RemoteExec.Hosting.Tests;

/// <summary>The options of the program that the tests of a life start.</summary>
internal sealed class ScriptedOptions(OptionReader options)
{
    public static OptionTable<ScriptedOptions> Table { get; } = new("scripted", "Lives as a test wants it.", reader => new ScriptedOptions(reader));

    public ScriptedLife Life { get; } = options.Choice("life", ScriptedLife.Serve, "what it does");

    public TimeSpan DrainMax { get; } = options.Duration("drain-limit", "30s", "how long it may take to end");
}
