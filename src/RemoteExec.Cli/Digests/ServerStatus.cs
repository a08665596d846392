using System.Text.Json.Nodes;

namespace RemoteExec.Cli;

/// <summary>The part of a server's status that this program knows.</summary>
internal sealed class ServerStatus
{
    /// <exception cref="InvalidOperationException">It has another shape.</exception>
    public ServerStatus(JsonObject page)
    {
        var storage = Member(page, "storage").AsObject();
        Version = Text(page, "version");
        UptimeSeconds = Number(page, "uptimeSeconds");
        IsReady = Member(page, "ready").GetValue<bool>();
        Queued = (long)Number(page, "queued");
        Running = (long)Number(page, "running");
        Completed = (long)Number(page, "operationsCompleted");
        Bytes = (long)Number(storage, "bytes");
        LimitBytes = (long)Number(storage, "limitBytes");
        Blobs = (long)Number(storage, "blobs");
        Workers = [.. Member(page, "workers").AsArray().OfType<JsonObject>().Select(worker => new Worker(worker))];
        // Older servers have none, and nothing but prefixes needs them.
        ActionDigests = [.. (page["actions"]?.AsArray() ?? []).OfType<JsonObject>().Select(action => Text(action, "actionDigest"))
            .Select(DigestText.Parse).Where(digest => digest.Exact is not null).Select(digest => digest.Exact!.Value)];
    }

    public string Version { get; }

    public double UptimeSeconds { get; }

    public bool IsReady { get; }

    public long Queued { get; }

    public long Running { get; }

    public long Completed { get; }

    public long Bytes { get; }

    public long LimitBytes { get; }

    public long Blobs { get; }

    public IReadOnlyList<Worker> Workers { get; }

    /// <summary>Of the actions that the page lists, newest first.</summary>
    public IReadOnlyList<Digest> ActionDigests { get; }

    private static JsonNode Member(JsonObject of, string name) => of[name] ?? throw new InvalidOperationException($"there is no {name}");

    private static string Text(JsonObject of, string name) => Member(of, name).GetValue<string>();

    private static double Number(JsonObject of, string name) => Member(of, name).GetValue<double>();

    internal sealed class Worker(JsonObject row)
    {
        public string Id { get; } = Text(row, "id");

        public string Pool { get; } = Text(row, "pool");

        public string State { get; } = Text(row, "state");

        public long Slots { get; } = (long)Number(row, "slots");

        public long SlotsUsed { get; } = (long)Number(row, "slotsUsed");

        /// <summary>Parts of the sandbox that it goes without.</summary>
        public IReadOnlyList<string> Missing { get; } = [.. (row["walls"]?.AsArray() ?? [])
            .OfType<JsonObject>().Where(wall => !Member(wall, "enforced").GetValue<bool>()).Select(wall => Text(wall, "name"))];
    }
}
