using System.Buffers.Binary;
using Build.Bazel.Remote.Execution.V2;
using Google.Protobuf;
using RemoteExec.Core;
using RemoteExec.Protocol;
using Digest = RemoteExec.Core.Digest;
using DigestFunction = RemoteExec.Core.DigestFunction;

namespace RemoteExec.Benchmarks;

/// <summary>Batches of blobs that no other has, encoded before the clock runs.</summary>
internal sealed class BlobBatches
{
    private readonly Random _random = new(20240229);
    private int _number;

    /// <summary>The bytes of a BatchUpdateBlobsRequest, and the digests in it.</summary>
    public (byte[] Frame, IReadOnlyList<Digest> Digests) Next(int blobs, int sizeBytes)
    {
        var digests = new List<Digest>(blobs);
        var request = new BatchUpdateBlobsRequest();
        for (int i = 0; i < blobs; i++)
        {
            byte[] data = new byte[sizeBytes];
            _random.NextBytes(data);
            BinaryPrimitives.WriteInt32LittleEndian(data, ++_number);
            var digest = Digest.Of(DigestFunction.Sha256, data);
            digests.Add(digest);
            request.Requests.Add(new BatchUpdateBlobsRequest.Types.Request { Digest = digest.ToWire(), Data = UnsafeByteOperations.UnsafeWrap(data) });
        }

        return (GrpcCaller.Frame(request), digests);
    }

    /// <summary>The bytes of a BatchReadBlobsRequest.</summary>
    public static byte[] Reading(IReadOnlyList<Digest> digests) =>
        GrpcCaller.Frame(new BatchReadBlobsRequest { Digests = { digests.Select(digest => digest.ToWire()) } });

    /// <summary>Sends one batch, and holds the answer to it that all were stored.</summary>
    public static async Task UploadAsync(GrpcCaller caller, byte[] frame, int blobs, CancellationToken cancellationToken)
    {
        int stored = 0;
        await caller.ReadAllAsync(Methods.BatchUpdateBlobs, new ByteArrayContent(frame), message => stored = Stored(message.Span), cancellationToken);
        if (stored != blobs) throw new InvalidDataException($"{stored} of {blobs} blobs were stored");
    }

    private static int Stored(ReadOnlySpan<byte> message) =>
        BatchUpdateBlobsResponse.Parser.ParseFrom(message).Responses.Count(answer => answer.Status.Code == 0);
}
