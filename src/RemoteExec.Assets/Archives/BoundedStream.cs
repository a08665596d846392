using RemoteExec.Protocol;

namespace RemoteExec.Assets;

/// <summary>
/// What an archive unpacks to, up to a limit: small ones can unpack to anything (TRUST 4.1). And no more at a time than a header should have:
/// the reader of tar asks for an extended header in one piece, however long it claims to be.
/// </summary>
internal sealed class BoundedStream(Stream inner, long bytesMax) : Stream
{
    // Our own reads are of 128 KiB.
    private const int PieceBytesMax = 1 << 20;

    private long _left = bytesMax;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        Check(buffer.Length);
        return Count(await inner.ReadAsync(buffer, cancellationToken));
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(byte[] buffer, int offset, int count)
    {
        Check(count);
        return Count(inner.Read(buffer, offset, count));
    }

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    private static void Check(int wanted)
    {
        if (wanted > PieceBytesMax) throw new InvalidDataException($"an extended header is longer than {PieceBytesMax} bytes");
    }

    private int Count(int read)
    {
        _left -= read;
        return _left >= 0 ? read : throw RpcErrors.Of(Grpc.Core.StatusCode.ResourceExhausted, "unpacks to more bytes than are taken");
    }
}
