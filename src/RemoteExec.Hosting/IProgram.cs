using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace RemoteExec.Hosting;

/// <summary>A program that serves until it is told to stop: its options, what it is made of, and which of its failures have a remedy.</summary>
public interface IProgram<TOptions>
    where TOptions : class
{
    OptionTable<TOptions> Table { get; }

    /// <summary>The least important log line that is written.</summary>
    LogLevel LogLevelOf(TOptions options);

    /// <summary>How long the program may take to end once it was told to.</summary>
    TimeSpan DrainMaxOf(TOptions options);

    /// <summary>A second signal asks it to hurry (<see cref="ProgramRun.Hurrying"/>) and a third one ends it; without this the second does.</summary>
    bool HurriesWith(TOptions options) => false;

    /// <summary>
    /// Composes everything into one host, which <see cref="ProgramHost"/> starts and stops, with its work in it
    /// (<see cref="ProgramRun.AddTo"/>).
    /// </summary>
    Task<IHost> ComposeAsync(TOptions options, ProgramRun run, CancellationToken cancellationToken);

    /// <summary>The failures that an operator can mend; null is a bug, which may show its trace.</summary>
    Refusal? Explain(Exception failure, TOptions options);
}
