using System.Globalization;
using System.Text;
using RemoteExec.Storage;
using RemoteExec.Worker;

namespace RemoteExec.Server;

/// <summary>What a person reads when the server is ready: where it listens, what it enforces, and the lines to paste.</summary>
internal static class Welcome
{
    /// <param name="grpc">As a client writes it, such as grpc://127.0.0.1:8980.</param>
    /// <param name="warnings">What is dangerous about these settings.</param>
    public static string Text(
        string version, string grpc, Uri http, IReadOnlyList<string> warnings, ServerOptions options, BlobStoreUsage storage, LocalWorker? worker)
    {
        bool executes = options.Plays(ServerRole.Coordinator);
        string flag = $"{(executes ? "--remote_executor" : "--remote_cache")}={grpc}";
        var text = new StringBuilder();
        text.AppendLine($"rexec {version}, ready")
            .AppendLine()
            .AppendLine($"  {(executes ? "Execution" : "Cache    ")}  {grpc}    any instance name")
            .AppendLine($"  Web        {http}")
            .AppendLine($"  Storage    {options.DataDirectory}    {Gigabytes(storage.LimitBytes)} limit, {Gigabytes(storage.UsedBytes)} in {storage.Blobs} blobs");
        if (executes) text.AppendLine($"  Worker     {Describe(grpc, options, worker)}");
        text.AppendLine()
            .AppendLine("Bazel, in your workspace:")
            .AppendLine()
            .AppendLine($"  bazel build {flag} //...")
            .AppendLine()
            .AppendLine("or for good, in .bazelrc:")
            .AppendLine()
            .AppendLine($"  build {flag}")
            .AppendLine("  build --remote_timeout=600");
        if (executes) text.AppendLine("  build --jobs=50");
        text.AppendLine("  build --incompatible_strict_action_env")
            .AppendLine("  build --remote_download_toplevel")
            .AppendLine()
            .Append("Stop with Ctrl-C. Data stays.");
        foreach (string warning in warnings)
            text.AppendLine().AppendLine().Append("WARNING: ").Append(warning);
        return text.ToString();
    }

    private static string Describe(string grpc, ServerOptions options, LocalWorker? worker)
    {
        if (worker is null) return $"none here; join some: rexec-worker --coordinator {grpc}";

        var open = worker.Walls.Where(wall => !wall.Enforced).ToList();
        string walls = open.Count == 0
            ? "the sandbox is complete, no network"
            : "the sandbox is NOT complete: no " + string.Join("; no ", open.Select(wall => $"{wall.Name} ({wall.Reason})"));
        return $"this machine, {options.Slots} slots; {walls}";
    }

    private static string Gigabytes(long bytes) => (bytes / 1e9).ToString("0.0", CultureInfo.InvariantCulture) + " GB";
}
