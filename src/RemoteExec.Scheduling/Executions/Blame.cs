namespace RemoteExec.Scheduling;

/// <summary>Whose fault it is that an execution, or an attempt at one, did not end well. What follows from it is in <see cref="BlameRules"/>.</summary>
public enum Blame
{
    /// <summary>Nobody's: it ended well, whatever the exit code.</summary>
    None,

    /// <summary>Whoever asked: inputs that are missing or malformed, properties that nobody offers, a cancellation.</summary>
    Client,

    /// <summary>The command: it ran out of its time or memory, or wrote what cannot be stored.</summary>
    Action,

    /// <summary>Who ran it: vanished, its disk full, its sandbox broken, a report that makes no sense.</summary>
    Worker,

    /// <summary>We: a restart that took the worker along, a report that we could not check.</summary>
    Coordinator,

    /// <summary>The blob store: unreachable or out of room, from wherever it was asked.</summary>
    Store,
}
