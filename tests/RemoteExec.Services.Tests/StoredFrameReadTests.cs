using Google.Bytestream;
using NUnit.Framework;
using RemoteExec.Storage;

namespace RemoteExec.Services.Tests;

/// <summary>Blobs that their store keeps compressed.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class StoredFrameReadTests : ServicesFixture
{
    // More than one message.
    private const int BlobBytes = 3_000_000;

    private readonly byte[] _frame = new byte[1_200_000]; // no frame of anything: whoever decompressed it would fail

    protected override IBlobStore Served => new FrameStore(this);

    [Test] // REAPI BR3, BR5
    public async Task A_compressed_read_is_answered_with_what_is_stored()
    {
        new Random(1).NextBytes(_frame);
        var digest = await Store.WriteAllAsync(DigestFunction.Sha256, new byte[BlobBytes], Soon);

        Assert.That(await ReadAsync($"compressed-blobs/zstd/{digest}", 0), Is.EqualTo(_frame));
        Assert.That(await ReadAsync($"blobs/{digest}", 0), Is.EqualTo(new byte[BlobBytes]));
        Assert.That(Zstd.Decompress(await ReadAsync($"compressed-blobs/zstd/{digest}", 5), BlobBytes - 5), Is.EqualTo(new byte[BlobBytes - 5]));
    }

    private async Task<byte[]> ReadAsync(string name, long offset)
    {
        var data = new MemoryStream();
        using var call = Bytes.Read(new ReadRequest { ResourceName = name, ReadOffset = offset }, cancellationToken: Soon);
        while (await call.ResponseStream.MoveNext(Soon)) call.ResponseStream.Current.Data.WriteTo(data);
        return data.ToArray();
    }

    private sealed class FrameStore(StoredFrameReadTests test) : IBlobStore
    {
        public ValueTask<IReadOnlyList<Digest>> FindMissingAsync(IReadOnlyList<Digest> digests, CancellationToken cancellationToken) =>
            test.Store.FindMissingAsync(digests, cancellationToken);

        public async ValueTask<IBlobReader?> OpenReadAsync(Digest digest, long offset, CancellationToken cancellationToken)
        {
            var plain = await test.Store.OpenReadAsync(digest, offset, cancellationToken);
            if (plain is null) return null;
            return new FrameReader((ISynchronousBlobReader)plain, offset > 0 ? null : new FrameBytes(test._frame));
        }

        public ValueTask<IBlobWriter> CreateWriterAsync(Digest digest, CancellationToken cancellationToken) =>
            test.Store.CreateWriterAsync(digest, cancellationToken);
    }

    private sealed class FrameReader(ISynchronousBlobReader plain, ISynchronousBlobReader? frame) : IBlobReader, IStoredFrame
    {
        public ISynchronousBlobReader? Frame => frame;

        public long RemainingBytes => plain.RemainingBytes;

        public ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken) => plain.ReadAsync(buffer, cancellationToken);

        public ValueTask DisposeAsync() => plain.DisposeAsync();
    }

    private sealed class FrameBytes(byte[] data) : ISynchronousBlobReader
    {
        private int _offset;

        public long RemainingBytes => data.Length - _offset;

        public ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken) => ValueTask.FromResult(Read(buffer.Span));

        public int Read(Span<byte> buffer)
        {
            int count = Math.Min(buffer.Length, data.Length - _offset);
            data.AsSpan(_offset, count).CopyTo(buffer);
            _offset += count;
            return count;
        }

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
