namespace RemoteExec.Storage;

/// <summary>What a store that may be away may cost those who ask it.</summary>
public sealed record CircuitOptions
{
    /// <summary>Within it a question is answered, a reader or writer opened. Bazel gives a call a minute, and one that was refused is asked again.</summary>
    public TimeSpan AnswerMax { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Within it one piece of a blob travels, or the end of an upload is acknowledged.</summary>
    public TimeSpan PieceMax { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>So many failures in a row, and it counts as away. One alone may be a connection that broke.</summary>
    public int FailuresMax { get; init; } = 3;

    /// <summary>How long nobody asks it then; doubled while it stays away.</summary>
    public TimeSpan PauseMin { get; init; } = TimeSpan.FromSeconds(1);

    public TimeSpan PauseMax { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Told the reason when it counts as away from now on, and null when it is back.</summary>
    public Action<string?> AwayChanged { get; init; } = _ => { };

    public TimeProvider Time { get; init; } = TimeProvider.System;
}
