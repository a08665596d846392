using Google.Bytestream;
using Grpc.Core;

namespace RemoteExec.Client;

/// <summary>
/// Follows one output stream of an action while it runs (REAPI ExecuteOperationMetadata.stdout_stream_name), and knows how
/// much of it was shown, so that the rest can be shown from the result. Live output is a courtesy: a server may offer
/// none, cut it, or lose it, and nothing of that is a failure here.
/// </summary>
public sealed class LiveOutput(CallInvoker invoker, Stream to) : IAsyncDisposable
{
    private readonly ByteStream.ByteStreamClient _client = new(invoker);
    private CancellationTokenSource _stop = new();
    private Task _following = Task.CompletedTask;
    private string _name = "";
    private long _shownBytes;

    /// <summary>Of the stream that is followed now.</summary>
    public long ShownBytes => Interlocked.Read(ref _shownBytes);

    /// <summary>Shows this stream from its beginning, in place of any other; the same name again changes nothing.</summary>
    public void Follow(string name)
    {
        if (name.Length == 0 || name == _name) return;

        _name = name;
        _stop.Cancel();
        _stop = new CancellationTokenSource();
        _following = CopyAsync(_following, name, _stop.Token);
    }

    /// <summary>Stops following. Answers how many bytes of the stream of that name were shown: the rest is in the result.</summary>
    public async ValueTask<long> FinishAsync(string name)
    {
        await _stop.CancelAsync();
        await _following;
        return name == _name ? ShownBytes : 0;
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        // A failure was told by FinishAsync, or nobody came that far for a reason of its own.
        await _following.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
    }

    private async Task CopyAsync(Task before, string name, CancellationToken stop)
    {
        await before;
        Interlocked.Exchange(ref _shownBytes, 0);
        try
        {
            using var call = _client.Read(new ReadRequest { ResourceName = name }, cancellationToken: stop);
            while (await call.ResponseStream.MoveNext(stop))
            {
                var data = call.ResponseStream.Current.Data;
                // Whole pieces only: what is counted must be what was shown.
                await to.WriteAsync(data.Memory, CancellationToken.None);
                Interlocked.Add(ref _shownBytes, data.Length);
                await to.FlushAsync(CancellationToken.None);
            }
        }
        catch (Exception over) when (over is RpcException or OperationCanceledException)
        {
            // However it ended, the result has what is missing.
        }
    }
}
