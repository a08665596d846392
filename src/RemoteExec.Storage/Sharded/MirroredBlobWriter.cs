using Grpc.Core;

namespace RemoteExec.Storage;

/// <summary>Writes to two stores at the same pace. One that fails is left behind, and gets a copy later.</summary>
internal sealed class MirroredBlobWriter(Digest digest, MirroredBlobWriter.Side first, MirroredBlobWriter.Side second, BlobRepairs repairs) : BlobWriter(digest)
{
    private readonly Side[] _sides = [first, second];
    private bool _isStored;

    /// <summary>Not before both have it: who goes on sending mends the one that lacks it.</summary>
    public override bool AlreadyPresent => _isStored
        || (Array.Exists(_sides, side => side.Writer is not null) && Array.TrueForAll(_sides, side => side.Writer is null || side.Writer.AlreadyPresent));

    public override async ValueTask DisposeAsync()
    {
        foreach (var side in _sides)
        {
            if (side.Writer is { } writer) await writer.DisposeAsync();
            side.Writer = null;
        }
    }

    protected override ValueTask TakeAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken) =>
        BothAsync(writer => writer.AppendAsync(data, cancellationToken));

    protected override async ValueTask StoreAsync(CancellationToken cancellationToken)
    {
        await BothAsync(writer => writer.CommitAsync(cancellationToken));
        _isStored = true;
        AskForCopies();
    }

    private void AskForCopies()
    {
        var (one, other) = (_sides[0], _sides[1]);
        if (one.Writer is null) repairs.Ask(Digest, from: other.Node, to: one.Node);
        if (other.Writer is null) repairs.Ask(Digest, from: one.Node, to: other.Node);
    }

    private async ValueTask BothAsync(Func<IBlobWriter, ValueTask> act)
    {
        await Task.WhenAll(_sides.Select(side => ActAsync(side, act)));
        if (Array.TrueForAll(_sides, side => side.Writer is null)) throw _sides[0].Failure!; // each was left behind with a reason
        if (AlreadyPresent) AskForCopies(); // nobody commits what is there
    }

    private static async Task ActAsync(Side side, Func<IBlobWriter, ValueTask> act)
    {
        if (side.Writer is not { } writer) return;
        try
        {
            await act(writer);
        }
        catch (RpcException failure) when (MirroredBlobStore.IsOfStore(failure))
        {
            (side.Writer, side.Failure) = (null, failure);
            await writer.DisposeAsync();
        }
    }

    /// <summary>The upload to one of the two; without a writer it has failed.</summary>
    internal sealed class Side(BlobNode node, IBlobWriter? writer, RpcException? failure)
    {
        public BlobNode Node => node;

        public IBlobWriter? Writer { get; set; } = writer;

        public RpcException? Failure { get; set; } = failure;
    }
}
