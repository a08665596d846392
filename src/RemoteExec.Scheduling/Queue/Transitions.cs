namespace RemoteExec.Scheduling;

/// <summary>What one event did: records to journal, and what to tell afterwards, both in order.</summary>
internal class Transitions
{
    public List<JournalRecord> Records { get; } = [];

    public List<Effect> Effects { get; } = [];

    public bool IsEmpty => Records.Count == 0 && Effects.Count == 0;
}
