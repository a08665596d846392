using System.Globalization;
using System.Text;
using RemoteExec.Storage;
using RemoteExec.Worker;

namespace RemoteExec.Server;

/// <summary>What a person reads when the server is ready: where it listens, what it enforces, and the lines to paste.</summary>
internal static class Welcome
{
    /// <param name="isPrivate">Whether nobody beyond this machine reaches the ports.</param>
    public static string Text(string version, string grpc, Uri http, bool isPrivate, ServerOptions options, BlobStoreUsage storage, LocalWorker? worker)
    {
        var text = new StringBuilder();
        text.AppendLine($"rexec {version}, ready")
            .AppendLine()
            .AppendLine($"  Execution  {grpc}    any instance name")
            .AppendLine($"  Web        {http}")
            .AppendLine($"  Storage    {options.DataDirectory}    {Gigabytes(storage.LimitBytes)} limit, {Gigabytes(storage.UsedBytes)} in {storage.Blobs} blobs")
            .AppendLine($"  Worker     {Describe(grpc, options, worker)}")
            .AppendLine()
            .AppendLine("Bazel, in your workspace:")
            .AppendLine()
            .AppendLine($"  bazel build --remote_executor={grpc} //...")
            .AppendLine()
            .AppendLine("or for good, in .bazelrc:")
            .AppendLine()
            .AppendLine($"  build --remote_executor={grpc}")
            .AppendLine("  build --jobs=50")
            .AppendLine("  build --incompatible_strict_action_env")
            .AppendLine()
            .Append("Stop with Ctrl-C. Data stays.");
        if (!isPrivate)
        {
            // There is no authentication yet: whoever reaches the port runs commands here and may join as a worker.
            text.AppendLine().AppendLine()
                .Append("WARNING: this server listens beyond this machine and asks nobody who they are. Keep both ports in a network that you trust.");
        }

        return text.ToString();
    }

    private static string Describe(string grpc, ServerOptions options, LocalWorker? worker)
    {
        if (worker is null) return $"none here; join some: rexec-worker --coordinator {grpc["grpc://".Length..]}";

        var open = worker.Walls.Where(wall => !wall.Enforced).ToList();
        string walls = open.Count == 0
            ? "every wall of the sandbox stands, no network"
            : "WITHOUT these walls: " + string.Join("; ", open.Select(wall => $"{wall.Name} ({wall.Reason})"));
        return $"this machine, {options.Slots} slots; {walls}";
    }

    private static string Gigabytes(long bytes) => (bytes / 1e9).ToString("0.0", CultureInfo.InvariantCulture) + " GB";
}
