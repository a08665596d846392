using Grpc.Core;

namespace RemoteExec.Worker;

/// <summary>
/// For what an action has made: while the store that all share is full or out of order it is asked again. Giving up at once would run
/// the action again, and that store is no better for it.
/// </summary>
internal sealed class StorePatience(TimeProvider time)
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(1);

    // A slot waits meanwhile. Long enough for a store to have made room or to have been started again; for a longer time the queue waits.
    private static readonly TimeSpan PatienceMax = TimeSpan.FromMinutes(1);

    public async ValueTask<T> AskAsync<T>(Func<ValueTask<T>> ask, CancellationToken cancellationToken)
    {
        long? firstFailure = null;
        for (var pause = FirstPause; ; pause *= 2)
        {
            try
            {
                return await ask();
            }
            catch (StoreFailure passing) when (Failure.KindOf(passing) == FailureKind.SharedStore && IsWorth(pause))
            {
                // Asked again after a pause.
            }

            await Task.Delay(pause, time, cancellationToken);
        }

        bool IsWorth(TimeSpan pause) => time.GetElapsedTime(firstFailure ??= time.GetTimestamp()) + pause <= PatienceMax;
    }
}
