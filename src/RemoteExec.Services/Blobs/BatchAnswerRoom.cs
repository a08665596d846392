using RemoteExec.Protocol;

namespace RemoteExec.Services;

/// <summary>
/// How much of a batch's answer is left for words. A failure brings its sentence and its details; fifty thousand of them would
/// be a message that no client takes, which then knows nothing of any blob. The codes always fit.
/// </summary>
internal sealed class BatchAnswerRoom
{
    // Of one entry, beside its digest: tags, lengths and a code.
    private const int FramingBytes = 10;

    private long _bytes = Limits.AnswerBytesMax;

    /// <summary>Each entry repeats the digest that was asked for.</summary>
    /// <exception cref="Grpc.Core.RpcException">INVALID_ARGUMENT when these alone are too much.</exception>
    public BatchAnswerRoom(int entries, long digestBytes)
    {
        _bytes -= ((long)entries * FramingBytes) + digestBytes;
        if (_bytes < 0)
            throw RpcErrors.Invalid($"{entries} blobs in one batch: the answer would be larger than the {Limits.AnswerBytesMax} bytes that clients take");
    }

    public void Take(int bytes) => _bytes -= bytes;

    /// <summary>The failure as it is, or as its code alone.</summary>
    public RpcStatus Fit(RpcStatus failure)
    {
        int bytes = failure.CalculateSize();
        if (bytes > _bytes) return new RpcStatus { Code = failure.Code };

        Take(bytes);
        return failure;
    }
}
