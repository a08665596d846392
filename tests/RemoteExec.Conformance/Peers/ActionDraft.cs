namespace RemoteExec.Conformance;

/// <summary>An action that runs a script by /bin/sh. Each is another one, so that no cache answers for it.</summary>
internal sealed record ActionDraft(string Script)
{
    // Whatever goes wrong, no check leaves anything behind that runs on.
    private static readonly TimeSpan TimeoutMax = TimeSpan.FromSeconds(50);

    public WireCommand Command { get; } = new() { Arguments = { "/bin/sh", "-c", Script } };

    public WireDirectory Root { get; } = new();

    /// <summary>Stored beside: what <see cref="Root"/> refers to.</summary>
    public List<Blob> Inputs { get; } = [];

    public WireAction Action { get; } = new()
    {
        Timeout = Google.Protobuf.WellKnownTypes.Duration.FromTimeSpan(TimeoutMax),
        Salt = Google.Protobuf.ByteString.CopyFrom(Guid.NewGuid().ToByteArray()),
    };

    public Build.Bazel.Remote.Execution.V2.ExecuteRequest Request { get; } = new();

    /// <summary>For what is to be said after construction, in the place of construction.</summary>
    public ActionDraft With(Action<ActionDraft> change)
    {
        change(this);
        return this;
    }
}
