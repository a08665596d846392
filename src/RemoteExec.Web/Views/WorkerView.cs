namespace RemoteExec.Web;

/// <summary>One connected worker.</summary>
public sealed record WorkerView(
    string Id, string Pool, string State, int Slots, int SlotsUsed, string Version,
    IReadOnlyList<string> Properties, IReadOnlyList<WallView> Walls);
