using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using RemoteExec.Core;
using RemoteExec.Hosting;

namespace RemoteExec.Cli;

/// <summary><c>rexec status</c>: queue, workers and storage of a server at a glance.</summary>
internal static class StatusVerb
{
    public static Command Create(Cli cli)
    {
        var verb = new Command("status", "Shows the queue, the workers and the storage.");
        verb.SetAction(async (parsed, cancellationToken) =>
        {
            var format = cli.Output.Of(parsed);
            using var remote = cli.Server.Connect(parsed);
            // First the address that somebody wrote: a sentence about another port helps nobody.
            if (parsed.GetValue(cli.Server.Http) is null) await remote.AskCapabilitiesAsync(cancellationToken);
            try
            {
                var status = await new StatusPage(remote.Http).ReadAsync(cancellationToken);
                cli.Console.Write(format == OutputFormat.Text ? Text(status) : Report.Of(format, Row(status)));
                return ExitCode.Done;
            }
            catch (PageException unread)
            {
                cli.Console.Say($"{unread.Message}. The server's status is on its web port; name that with --http http://HOST:PORT");
                return ExitCode.Unavailable;
            }
        });
        return verb;
    }

    private static string Text(ServerStatus status)
    {
        var text = new StringBuilder()
            .AppendLine(CultureInfo.InvariantCulture, $"version   {status.Version}, up {TimeSpan.FromSeconds(Math.Floor(status.UptimeSeconds)):c}{(status.IsReady ? "" : ", not ready")}")
            .AppendLine(CultureInfo.InvariantCulture, $"queue     {status.Queued} queued, {status.Running} running, {status.Completed} completed")
            .AppendLine(CultureInfo.InvariantCulture, $"storage   {UnitText.FormatSize(status.Bytes)} of {UnitText.FormatSize(status.LimitBytes)} in {status.Blobs} blobs");
        int idColumns = status.Workers.Select(worker => worker.Id.Length).DefaultIfEmpty().Max();
        int stateColumns = status.Workers.Select(worker => worker.State.Length).DefaultIfEmpty().Max();
        foreach (var worker in status.Workers)
        {
            text.Append(CultureInfo.InvariantCulture, $"worker    {worker.Id.PadRight(idColumns)}  {worker.State.PadRight(stateColumns)}  {$"{worker.SlotsUsed}/{worker.Slots}",7} slots");
            if (worker.Pool.Length > 0) text.Append(CultureInfo.InvariantCulture, $"  pool {worker.Pool}");
            if (worker.Missing.Count > 0) text.Append(CultureInfo.InvariantCulture, $"  sandbox without {string.Join(", ", worker.Missing)}");
            text.AppendLine();
        }

        return text.ToString();
    }

    private static JsonObject Row(ServerStatus status) => new()
    {
        ["version"] = status.Version,
        ["uptimeSeconds"] = status.UptimeSeconds,
        ["ready"] = status.IsReady,
        ["queued"] = status.Queued,
        ["running"] = status.Running,
        ["completed"] = status.Completed,
        ["storageBytes"] = status.Bytes,
        ["storageLimitBytes"] = status.LimitBytes,
        ["storageBlobs"] = status.Blobs,
        ["workers"] = new JsonArray([.. status.Workers.Select(worker => new JsonObject
        {
            ["id"] = worker.Id,
            ["pool"] = worker.Pool,
            ["state"] = worker.State,
            ["slots"] = worker.Slots,
            ["slotsUsed"] = worker.SlotsUsed,
        })]),
    };
}
