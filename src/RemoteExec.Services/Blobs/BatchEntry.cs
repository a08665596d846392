using Grpc.Core;
using RemoteExec.Protocol;

namespace RemoteExec.Services;

/// <summary>
/// One entry of a batch, as places in the bytes of the request: the objects of it would cost more than a blob of a kilobyte does.
/// <code>
/// BatchUpdateBlobsRequest.Request   1: digest   2: data   3: compressor
/// BatchReadBlobsRequest             2: digest
/// </code>
/// </summary>
internal readonly record struct BatchEntry
{
    private const int DigestField = 1;
    private const int DataField = 2;
    private const int CompressorField = 3;

    /// <summary>The encoded digest; null when there is none.</summary>
    public Range? Digest { get; init; }

    public Range Data { get; init; }

    public WireCompressor Compressor { get; init; }

    /// <summary>Of the answer, what repeats the digest.</summary>
    public int DigestBytes => Digest is { } digest ? digest.End.Value - digest.Start.Value : 0;

    /// <param name="entry">The entry's place in <paramref name="message"/>.</param>
    public static BatchEntry Parse(ReadOnlySpan<byte> message, Range entry)
    {
        var parsed = default(BatchEntry);
        int offset = entry.Start.Value;
        var scanner = new ProtoScanner(message[entry]);
        while (scanner.MoveNext())
        {
            switch (scanner.Field, scanner.WireType)
            {
                case (DigestField, ProtoScanner.Bytes):
                    // Protobuf would make one of two; nobody sends them, and an answer repeats the digest's own bytes.
                    if (parsed.Digest is not null) throw RpcErrors.InvalidField("requests.digest", "an entry of the batch has two digests");
                    parsed = parsed with { Digest = PlaceOf(ref scanner, offset) };
                    break;
                case (DataField, ProtoScanner.Bytes):
                    parsed = parsed with { Data = PlaceOf(ref scanner, offset) };
                    break;
                case (CompressorField, ProtoScanner.Varint):
                    parsed = parsed with { Compressor = (WireCompressor)(int)scanner.ReadVarint() };
                    break;
                default:
                    scanner.Skip();
                    break;
            }
        }

        return parsed;
    }

    /// <summary>Where the bytes are that the scanner reads next.</summary>
    public static Range PlaceOf(ref ProtoScanner scanner, int offset)
    {
        int length = scanner.ReadBytes().Length;
        return new Range(offset + scanner.Position - length, offset + scanner.Position);
    }

    /// <summary>What an unset digest_function is inferred from; null where there is no digest.</summary>
    public WireDigest? Sample(ReadOnlySpan<byte> message)
    {
        if (Digest is not { } digest) return null;

        DigestFields.Read(message[digest], out var hash, out _);
        return new WireDigest { Hash = new string('0', DigestFields.HashLength(hash)) };
    }

    /// <summary>What the digest claims to be long, right or wrong.</summary>
    public long ClaimedBytes(ReadOnlySpan<byte> message)
    {
        if (Digest is not { } digest) return 0;

        DigestFields.Read(message[digest], out _, out long sizeBytes);
        return sizeBytes;
    }

    /// <summary>Null, and a digest, or what is wrong with it.</summary>
    public RpcException? TryGetDigest(ReadOnlySpan<byte> message, DigestFunction function, out Digest digest)
    {
        string? error = "it is not set";
        digest = default;
        if (Digest is { } place)
        {
            DigestFields.Read(message[place], out var hash, out long sizeBytes);
            if (Core.Digest.TryParse(function, hash, sizeBytes, out digest, out error)) return null;
            WireText.Check(hash);
        }

        return RpcErrors.InvalidField("digest", $"digest: {error}");
    }
}
