namespace RemoteExec.Scheduling;

/// <summary>Told what a journal did; metrics hang here. Called on the journal's thread: be quick, never wait. What it throws changes nothing.</summary>
public interface IJournalObserver
{
    /// <summary>One flush to the disk; every client that is told of its action has waited for one.</summary>
    void Flushed(TimeSpan duration) { }
}
