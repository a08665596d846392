using System.Globalization;
using System.Text;
using RemoteExec.Core;

namespace RemoteExec.Scheduling.Tests;

/// <summary>Dull values.</summary>
internal static class Build
{
    public static readonly DateTimeOffset Start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    public static readonly Instant Begin = new(TimeSpan.FromDays(3), Start);

    public static Platform Platform(params string[] properties)
    {
        var parsed = properties.Select(property => property.Split('=', 2)).Select(pair => new PlatformProperty(pair[0], pair[1]));
        return Core.Platform.TryCreate(parsed, out var platform, out string? error) ? platform : throw new ArgumentException(error);
    }

    public static Digest Digest(int number) =>
        Core.Digest.Of(DigestFunction.Sha256, Encoding.UTF8.GetBytes(number.ToString(CultureInfo.InvariantCulture)));

    public static ExecutionRequest Request(int action = 1, params string[] properties) => new()
    {
        Instance = InstanceName.Empty,
        Action = Digest(action),
        Platform = Platform(properties),
        Timeout = TimeSpan.FromMinutes(1),
    };

    public static WorkerDescription Worker(string id = "w1", int slots = 1, params string[] properties) => new()
    {
        Id = id,
        Slots = slots,
        Properties = Platform(properties),
        Version = "1",
    };

    public static ExecutionOutcome Ok(string response = "done") => new()
    {
        Code = OutcomeCode.Ok,
        Response = Encoding.UTF8.GetBytes(response),
        ExitCode = 0,
        IsCacheWorthy = true,
    };

    public static ExecutionOutcome Broken(string why = "no space on the worker") => Of(Blame.Worker, why);

    public static ExecutionOutcome Of(Blame blame, string why = "it went wrong") => new()
    {
        Code = blame == Blame.None ? OutcomeCode.Ok : OutcomeCode.Internal,
        Message = why,
        Blame = blame,
    };
}
