using Grpc.Core;

namespace RemoteExec.Rpc;

/// <summary>Answers to a client, who may not leave us with them for longer than the stall limit.</summary>
internal sealed class CallWriter<T>(IServerStreamWriter<T> inner, RpcCall call) : IServerStreamWriter<T>
{
    public WriteOptions? WriteOptions
    {
        get => inner.WriteOptions;
        set => inner.WriteOptions = value;
    }

    public Task WriteAsync(T message) => WriteAsync(message, CancellationToken.None);

    public async Task WriteAsync(T message, CancellationToken cancellationToken)
    {
        if (message is IRpcMessage sized) call.SentBytes += sized.LengthBytes;
        var write = inner.WriteAsync(message, cancellationToken);
        if (!write.IsCompletedSuccessfully) await WithinLimitAsync(write);
        // The package drops what nobody takes, and a handler would go on to its end: to OK, which nobody has read.
        if (call.HasClientLeft) throw new OperationCanceledException("the client has left");
    }

    private async Task WithinLimitAsync(Task write)
    {
        call.SendStall.Arm();
        try
        {
            await write;
        }
        catch (InvalidOperationException refused)
        {
            throw CallFailures.OfPackage(refused, call);
        }
        finally
        {
            call.SendStall.Disarm(); // a wait that was cancelled is over as well
        }
    }
}
