using Grpc.Core;
using NUnit.Framework;
using RemoteExec.Core;

namespace RemoteExec.Storage.Tests;

/// <summary>Bytes that were right once: frames of zstd from clients, lists of chunks from a disk.</summary>
public sealed class StoredBytesMutationTests
{
    private const int Seed = 20261130;
    private const int Mutations = 5_000;

    [Test]
    public void Zstd_that_was_altered_is_refused_or_has_the_size_that_was_announced()
    {
        byte[][] frames = [Zstd.Compress(Blobs.Of(1, 3000)), Zstd.Compress(new byte[3000]), [.. Zstd.Compress(Blobs.Of(2, 1000)), .. Zstd.Compress(new byte[2000])]];
        var mutants = new Mutants(Seed);
        int refused = 0;
        for (int number = 0; number < Mutations; number++)
        {
            try
            {
                int length = Zstd.Decompress(mutants.Of(frames[number % frames.Length]), 3000).Length;
                if (length != 3000) Assert.Fail($"seed {Seed}, number {number}: {length} bytes");
            }
            catch (RpcException refusal) when (refusal.StatusCode == StatusCode.InvalidArgument)
            {
                refused++;
            }
        }

        Assert.That(refused, Is.GreaterThan(Mutations / 2), $"seed {Seed}");
    }

    [Test]
    public void A_list_of_chunks_that_was_altered_is_none_or_adds_up_to_its_blob()
    {
        Digest[] chunks = [Digest.Of(DigestFunction.Sha256, Blobs.Of(1, 100)), Digest.Of(DigestFunction.Sha256, Blobs.Of(2, 200))];
        var blob = Digest.FromHash(DigestFunction.Sha256, new byte[32], 300);
        byte[] frame = ChunkListFormat.ToFrame(blob, new ChunkList(ChunkingAlgorithm.FastCdc2020, chunks));
        var mutants = new Mutants(Seed);
        int read = 0;
        for (int number = 0; number < Mutations; number++)
        {
            byte[] body = mutants.Of(frame.AsSpan(ChunkListFormat.Frames.HeadBytes));
            byte[] altered = [.. frame[..ChunkListFormat.Frames.HeadBytes], .. body];
            if (!ChunkListFormat.TryRead(altered, out var named, out var list)) continue;

            read++;
            if (list.Chunks.Sum(chunk => (decimal)chunk.SizeBytes) != named.SizeBytes) Assert.Fail($"seed {Seed}, number {number}: {named} is not the sum of its chunks");
        }

        Assert.That(read, Is.GreaterThan(0), $"seed {Seed}: no mutant was a list any more");
    }

    [Test]
    public void A_list_whose_sizes_are_too_much_for_a_number_is_none()
    {
        Digest[] chunks = [.. Enumerable.Range(0, 3).Select(i => Digest.FromHash(DigestFunction.Sha256, Blobs.Of(i, 32), long.MaxValue))];
        var blob = Digest.FromHash(DigestFunction.Sha256, new byte[32], long.MaxValue - 2);

        Assert.That(ChunkListFormat.TryRead(ChunkListFormat.ToFrame(blob, new ChunkList(ChunkingAlgorithm.FastCdc2020, chunks)), out _, out _), Is.False);
    }
}
