using System.Globalization;
using Google.Bytestream;
using Google.Protobuf;
using Grpc.Core;

namespace RemoteExec.Conformance;

/// <summary>ByteStream: names, reads and writes.</summary>
internal sealed partial class Peer
{
    private string Prefix => Instance.Length == 0 ? "" : Instance + "/";

    public static string Path(WireDigest digest) => string.Create(CultureInfo.InvariantCulture, $"{digest.Hash}/{digest.SizeBytes}");

    public string ReadName(WireDigest digest) => $"{Prefix}blobs/{Path(digest)}";

    public string CompressedReadName(WireDigest digest) => $"{Prefix}compressed-blobs/zstd/{Path(digest)}";

    /// <summary>Another one each time.</summary>
    public string UploadName(WireDigest digest) => $"{Prefix}uploads/{Guid.NewGuid()}/blobs/{Path(digest)}";

    public string CompressedUploadName(WireDigest digest) => $"{Prefix}uploads/{Guid.NewGuid()}/compressed-blobs/zstd/{Path(digest)}";

    public async Task<byte[]> ReadAsync(string name, long offset = 0, long limit = 0)
    {
        using var call = Bytes.Read(new ReadRequest { ResourceName = name, ReadOffset = offset, ReadLimit = limit });
        using var bytes = new MemoryStream();
        await foreach (var piece in call.ResponseStream.ReadAllAsync(Deadline)) piece.Data.WriteTo(bytes);
        return bytes.ToArray();
    }

    public async Task<byte[]> ReadAsync(WireDigest digest) => await ReadAsync(ReadName(digest));

    /// <summary>Sends all messages that are still taken, and closes.</summary>
    public async Task<long> WriteAsync(params IEnumerable<WriteRequest> messages)
    {
        using var call = Bytes.Write();
        foreach (var message in messages)
        {
            try
            {
                await call.RequestStream.WriteAsync(message, Deadline);
            }
            catch (Exception early) when (early is RpcException or InvalidOperationException)
            {
                // It is answered before we are done; what it answers comes below.
                return (await call.ResponseAsync).CommittedSize;
            }
        }

        try
        {
            await call.RequestStream.CompleteAsync();
        }
        catch (Exception early) when (early is RpcException or InvalidOperationException)
        {
            // As above.
        }

        return (await call.ResponseAsync).CommittedSize;
    }

    public static WriteRequest Piece(string name, byte[] data, long offset = 0, bool finish = false) =>
        new() { ResourceName = name, Data = ByteString.CopyFrom(data), WriteOffset = offset, FinishWrite = finish };

    /// <summary>The whole of it, in messages of a usual size.</summary>
    public static IEnumerable<WriteRequest> Pieces(string name, byte[] data, int pieceBytes = MessageBytes)
    {
        for (int at = 0; at < data.Length || at == 0; at += pieceBytes)
        {
            int end = Math.Min(data.Length, at + pieceBytes);
            yield return Piece(at == 0 ? name : "", data[at..end], at, end == data.Length);
        }
    }

    public async Task<long> UploadAsync(Blob blob) => await WriteAsync(Pieces(UploadName(blob.Digest), blob.Content));

    public async Task<QueryWriteStatusResponse> WriteStatusAsync(string name) =>
        await Bytes.QueryWriteStatusAsync(new QueryWriteStatusRequest { ResourceName = name });
}
