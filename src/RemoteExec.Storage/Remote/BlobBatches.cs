using Google.Protobuf;
using Grpc.Core;
using RemoteExec.Core;
using RemoteExec.Protocol;

namespace RemoteExec.Storage;

/// <summary>
/// Puts what is asked at the same time into one batch call. Nobody waits for a batch to fill: a lone question leaves at once, and
/// what comes while calls are under way forms the next ones.
/// </summary>
internal sealed class BlobBatches(Func<IReadOnlyList<BlobAsk>, Task<IReadOnlyDictionary<Digest, BlobAnswer>>> call)
{
    // Enough to hide the way there and back; more would only make the batches smaller.
    private const int CallsMax = 4;

    // Whatever surrounds the blobs has room in the 4 MiB that a message may have (REAPI C4).
    private const long BatchBytesMax = 3 << 20;
    private const int AskBytes = 256;

    private readonly Lock _gate = new();
    private readonly Queue<Item> _waiting = new();
    private int _calls;

    /// <exception cref="RpcException">The call failed; what became of one blob is a value.</exception>
    public Task<BlobAnswer> AskAsync(BlobAsk ask, CancellationToken cancellationToken) => AskMany([ask], cancellationToken)[0];

    /// <summary>The same of many, none of which leaves alone. An answer each, in order.</summary>
    public Task<BlobAnswer>[] AskMany(IReadOnlyList<BlobAsk> asks, CancellationToken cancellationToken)
    {
        Item[] items = [.. asks.Select(ask => new Item(ask, cancellationToken))];
        int runners;
        lock (_gate)
        {
            foreach (var item in items) _waiting.Enqueue(item);
            // Whoever of them finds nothing to do ends at once.
            runners = Math.Min(CallsMax - _calls, items.Length);
            _calls += runners;
        }

        for (; runners > 0; runners--) _ = RunAsync();
        return [.. items.Select(item => item.Answered.WaitAsync(cancellationToken))];
    }

    private async Task RunAsync()
    {
        while (TakeBatch() is { } batch)
        {
            await ServingLoop.ServeAsync(() => CallAsync(batch), failure =>
            {
                foreach (var item in batch) item.Fail(failure);
            });
        }
    }

    private async ValueTask CallAsync(List<Item> batch)
    {
        // Equal questions are one: a server may take a digest that comes twice for a mistake.
        var answers = await call([.. batch.Select(item => item.Ask).DistinctBy(ask => ask.Digest)]);
        foreach (var item in batch)
        {
            if (answers.TryGetValue(item.Ask.Digest, out var answer)) item.Answer(answer);
            else item.Fail(RpcErrors.Unavailable($"the server did not answer for blob {item.Ask.Digest}"));
        }
    }

    /// <summary>What goes into one call: of one function (REAPI D5), and not too large. Null ends the runner.</summary>
    private List<Item>? TakeBatch()
    {
        lock (_gate)
        {
            while (_waiting.TryPeek(out var gone) && gone.IsCancelled) _waiting.Dequeue();
            if (_waiting.Count == 0)
            {
                _calls--;
                return null;
            }

            var batch = new List<Item>();
            var function = _waiting.Peek().Ask.Digest.Function;
            for (long bytes = 0; _waiting.TryPeek(out var next) && next.Ask.Digest.Function == function; _waiting.Dequeue())
            {
                bytes += next.Ask.Digest.SizeBytes + AskBytes;
                if (batch.Count > 0 && bytes > BatchBytesMax) break;
                if (!next.IsCancelled) batch.Add(next);
            }

            return batch;
        }
    }

    private sealed class Item(BlobAsk ask, CancellationToken cancellationToken)
    {
        private readonly TaskCompletionSource<BlobAnswer> _answered = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public BlobAsk Ask => ask;

        public Task<BlobAnswer> Answered => _answered.Task;

        public bool IsCancelled => cancellationToken.IsCancellationRequested;

        public void Answer(BlobAnswer answer) => _answered.TrySetResult(answer);

        public void Fail(Exception failure) => _answered.TrySetException(failure);
    }
}

/// <summary>One small blob's part of a batch call: to be read, or with its data to be written.</summary>
internal sealed record BlobAsk(Digest Digest, ByteString? Data);

/// <summary>What a batch call said of one blob.</summary>
internal sealed record BlobAnswer(RpcStatus Status, ReadOnlyMemory<byte> Data);
