using Google.Protobuf.WellKnownTypes;
using RemoteExec.Core;
using RemoteExec.Protocol.V1;

namespace RemoteExec.Protocol;

/// <summary>
/// What a coordinator takes from clients and workers. One record: the coordinator enforces it at its doors and sends it down in
/// Welcome, so that no worker works by another number.
/// </summary>
public sealed record Limits
{
    /// <summary>
    /// What one answer of ours holds: under the 4 MiB that most gRPC clients take in a message, with room for what surrounds it.
    /// No setting: it is the clients' limit. An answer whose size only its question bounds is cut to it, or comes in pages.
    /// </summary>
    public const int AnswerBytesMax = (4 * 1024 * 1024) - (64 * 1024);

    public static Limits Default { get; } = new();

    /// <summary>Commands that one worker may run at the same time, and leases that it may hold beyond them.</summary>
    public int SlotsMax { get; init; } = Pools.SlotsMax;

    /// <summary>
    /// How much of the beginning of each stream is shown, whole, while a command runs. The result brings everything.
    /// </summary>
    public int LiveOutputBytesMax { get; init; } = 1 << 20;

    /// <summary>
    /// And so much of its newest behind that: who reads along may be so far back.
    /// </summary>
    public int LiveOutputWindowBytes => LiveOutputBytesMax;

    /// <summary>What a worker sends of one stream in one round, ten to a second: few enough for who reads along to keep up.</summary>
    public int LiveOutputRoundBytesMax => LiveOutputBytesMax / 4;

    /// <summary>One piece of it.</summary>
    public int LiveOutputPieceBytesMax { get; init; } = 64 << 10;

    /// <summary>
    /// A result up to this size travels in its report, a larger one as a blob in the store: a quarter of the 4 MiB that a gRPC message
    /// has by default, and more than a few thousand outputs take.
    /// </summary>
    public int InlineResultBytesMax { get; init; } = 1 << 20;

    /// <summary>A larger ActionResult is not taken: it is read into memory whole. About two million outputs.</summary>
    public int ResultBytesMax { get; init; } = 256 << 20;

    /// <summary>
    /// One Report. A result in it is small or a blob, but it may list each of many missing inputs. Where nothing is sent (a worker in the
    /// coordinator's process) it holds as well: what an action may be told does not depend on where it ran.
    /// </summary>
    public int ReportBytesMax { get; init; } = 16 << 20;

    /// <summary>The longest wait between two attempts of a worker to connect; the time for which leases wait for it is longer.</summary>
    public TimeSpan ReconnectWaitMax { get; init; } = TimeSpan.FromSeconds(5);

    public TreeLimits Tree { get; init; } = new();

    public CoordinatorLimits ToWire() => new()
    {
        LiveOutputBytesMax = LiveOutputBytesMax,
        LiveOutputPieceBytesMax = LiveOutputPieceBytesMax,
        InlineResultBytesMax = InlineResultBytesMax,
        ResultBytesMax = ResultBytesMax,
        ReconnectWaitMax = Duration.FromTimeSpan(ReconnectWaitMax),
        Tree = Tree.ToWire(),
        SlotsMax = SlotsMax,
        ReportBytesMax = ReportBytesMax,
    };

    /// <summary>What is absent on the wire (0) is as by default: an older coordinator names fewer limits.</summary>
    public static Limits FromWire(CoordinatorLimits? wire) => wire is null ? Default : Default with
    {
        LiveOutputBytesMax = Or(wire.LiveOutputBytesMax, Default.LiveOutputBytesMax),
        LiveOutputPieceBytesMax = Or(wire.LiveOutputPieceBytesMax, Default.LiveOutputPieceBytesMax),
        InlineResultBytesMax = Or(wire.InlineResultBytesMax, Default.InlineResultBytesMax),
        ResultBytesMax = Or(wire.ResultBytesMax, Default.ResultBytesMax),
        ReconnectWaitMax = wire.ReconnectWaitMax?.ToTimeSpan() is { } wait && wait > TimeSpan.Zero ? wait : Default.ReconnectWaitMax,
        Tree = TreeLimits.FromWire(wire.Tree),
        SlotsMax = Or(wire.SlotsMax, Default.SlotsMax),
        ReportBytesMax = Or(wire.ReportBytesMax, Default.ReportBytesMax),
    };

    internal static T Or<T>(T told, T ours) where T : System.Numerics.INumber<T> => told > T.Zero ? told : ours;
}
