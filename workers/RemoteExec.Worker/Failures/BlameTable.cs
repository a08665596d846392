using RemoteExec.Protocol.V1;

namespace RemoteExec.Worker;

/// <summary>
/// Whose fault a failure is, by what failed and when. The coordinator is told and acts by it (worker.proto, Blame); a status code says
/// something to the client and nothing about that. A test makes every cell happen.
/// </summary>
internal static class BlameTable
{
    private const Blame Client = Blame.Client, Action = Blame.Action, Worker = Blame.Worker, Store = Blame.Store;

    // In the order of FailureKind; columns in the order of Stage.
    private static readonly (FailureKind Kind, Blame[] ByStage)[] Rows =
    [
        //                                Prepare  Bring   Run     Take
        (FailureKind.Malformed,          [Worker, Client, Client, Action]),
        (FailureKind.Unmet,              [Worker, Client, Client, Action]),
        (FailureKind.TooMuch,            [Worker, Client, Action, Action]),
        (FailureKind.Amiss,              [Worker, Worker, Worker, Worker]),
        // An input tree's names before the command, its own afterwards.
        (FailureKind.Name,               [Worker, Client, Worker, Action]),
        (FailureKind.Machine,            [Worker, Worker, Worker, Worker]),
        (FailureKind.OwnStore,           [Worker, Worker, Worker, Worker]),
        // What arrived from the shared store was not what its digest says; what an action made is hashed as it is.
        (FailureKind.OwnStoreContent,    [Worker, Store,  Worker, Worker]),
        (FailureKind.SharedStore,        [Store,  Store,  Store,  Store]),
        // A name that no blob can have, from the request; an output that is larger than any blob may be.
        (FailureKind.SharedStoreRefusal, [Store,  Client, Store,  Action]),
        (FailureKind.Unknown,            [Worker, Worker, Worker, Worker]),
    ];

    public static Blame Of(Stage stage, FailureKind kind) => Rows[(int)kind].ByStage[(int)stage];
}
