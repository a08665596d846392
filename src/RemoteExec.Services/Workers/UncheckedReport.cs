using Google.Protobuf;
using Grpc.Core;
using RemoteExec.Scheduling;

namespace RemoteExec.Services;

/// <summary>The outcome of an attempt whose report could not be checked, by what came in the way: whose fault, and what the client reads.</summary>
internal static class UncheckedReport
{
    public static ExecutionOutcome Of(Exception failure, string worker) => failure switch
    {
        RpcException { StatusCode: StatusCode.InvalidArgument } malformed =>
            Outcome(OutcomeCode.Unavailable, Blame.Worker, $"worker {worker} reported {malformed.Status.Detail}"),
        // Said to be stored, and is not.
        RpcException { StatusCode: StatusCode.NotFound } absent =>
            Outcome(OutcomeCode.Unavailable, Blame.Worker, $"worker {worker} reported {absent.Status.Detail}") with { IsFalse = true },
        // Within the worker's limits and not within ours, or more than anybody takes: the same again would come to the same.
        RpcException { StatusCode: StatusCode.ResourceExhausted } tooMuch =>
            Outcome(OutcomeCode.ResourceExhausted, Blame.Action, tooMuch.Status.Detail),
        // Also an IOException, and of no disk: something inside of the report cannot be read.
        InvalidProtocolBufferException =>
            Outcome(OutcomeCode.Unavailable, Blame.Worker, $"worker {worker} reported what cannot be read"),
        RpcException store =>
            Outcome(OutcomeCode.Unavailable, Blame.Store, $"the outputs cannot be checked: {store.Status.Detail}"),
        IOException disk =>
            Outcome(OutcomeCode.Unavailable, Blame.Store, $"the outputs cannot be checked: {disk.Message}"),
        _ => Outcome(OutcomeCode.Internal, Blame.Coordinator, $"the outputs cannot be checked: {failure.Message}"),
    };

    private static ExecutionOutcome Outcome(OutcomeCode code, Blame blame, string message) => new() { Code = code, Blame = blame, Message = message };
}
