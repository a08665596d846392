using System.Buffers;
using System.Runtime.InteropServices;
using RemoteExec.Core;
using RemoteExec.Protocol;

namespace RemoteExec.Services;

/// <summary>
/// A FindMissingBlobsRequest read straight from its encoding, and its answer written from the same bytes: requests of ten
/// thousand digests are common (REAPI C1), and as objects each would cost more than looking it up.
/// <code>
/// request   1: instance_name   2: blob_digests*   3: digest_function
/// response                     2: missing_blob_digests*
/// digest    1: hash            2: size_bytes
/// </code>
/// Both lists have the same field number, so a missing digest is answered by the very bytes that asked for it.
/// </summary>
/// <remarks>
/// What it makes of a request is as large as the request, so its arrays are lent by a pool, until it is disposed: fresh ones of
/// that size would each bring a collection of the large heap nearer.
/// </remarks>
internal sealed class DigestQuery : IDisposable
{
    private const int InstanceField = 1;
    private const int DigestField = 2;
    private const int FunctionField = 3;

    private const byte DigestTag = (DigestField << 3) | ProtoScanner.Bytes;

    // A million is 75 MB of message, which no limit of ours lets through; this bounds what we make of small ones.
    private const int DigestsMax = 1_000_000;

    private readonly Digest[] _digests;
    private readonly (int Start, int End)[] _fields;
    private byte[] _answer = [];

    private DigestQuery(InstanceName instance, int count)
    {
        Instance = instance;
        _digests = ArrayPool<Digest>.Shared.Rent(count);
        _fields = ArrayPool<(int, int)>.Shared.Rent(count);
        Digests = new ArraySegment<Digest>(_digests, 0, count);
    }

    public InstanceName Instance { get; }

    public ArraySegment<Digest> Digests { get; }

    public static DigestQuery Parse(ReadOnlySpan<byte> message, DigestFunction unnamed)
    {
        // The function comes after the digests in the encoding, and they cannot be read without it.
        var (instance, count, named, sampleLength) = ReadEnvelope(message);
        if (count > DigestsMax) throw RpcErrors.Invalid($"{count} digests in one call, at most {DigestsMax} are allowed");

        // A request without digests asks nothing that depends on the function; otherwise the length of a hash tells.
        var sample = count == 0 ? null : new WireDigest { Hash = new string('0', sampleLength) };
        var function = WireDigests.FunctionOf(named, sample, unnamed);
        var query = new DigestQuery(instance, count);
        try
        {
            query.ReadDigests(message, function);
            return query;
        }
        catch
        {
            query.Dispose();
            throw;
        }
    }

    private void ReadDigests(ReadOnlySpan<byte> message, DigestFunction function)
    {
        var scanner = new ProtoScanner(message);
        for (int i = 0; i < Digests.Count;)
        {
            int start = scanner.Position;
            if (DigestFields.TryReadUsual(message[start..], DigestTag, function, out _digests[i], out int length))
            {
                scanner.Advance(length);
                _fields[i++] = (start, start + length);
                continue;
            }

            scanner.MoveNext();
            if (scanner is not { Field: DigestField, WireType: ProtoScanner.Bytes })
            {
                scanner.Skip();
                continue;
            }

            _digests[i] = ReadDigest(scanner.ReadBytes(), function, i);
            _fields[i++] = (start, scanner.Position);
        }
    }

    /// <summary>
    /// Encodes the answer, once; it is lent like all else. <paramref name="missing"/> is in the order asked, once each.
    /// </summary>
    public ReadOnlyMemory<byte> Answer(ReadOnlySpan<byte> message, IReadOnlyList<Digest> missing)
    {
        // No larger than the question, of which it is a part.
        _answer = ArrayPool<byte>.Shared.Rent(message.Length);
        var asked = Digests.AsSpan();
        var wanted = missing is List<Digest> list ? CollectionsMarshal.AsSpan(list) : missing.ToArray();
        int length = 0, next = 0;
        for (int i = 0; i < asked.Length && next < wanted.Length; i++)
        {
            if (!asked[i].Equals(wanted[next])) continue;

            next++;
            var (start, end) = _fields[i];
            message[start..end].CopyTo(_answer.AsSpan(length));
            length += end - start;
        }

        // Not cut: what an answer leaves out is present.
        if (length > Limits.AnswerBytesMax)
        {
            throw RpcErrors.Invalid(
                $"{next} of {Digests.Count} blobs are missing, a list of more than the {Limits.AnswerBytesMax} bytes that clients take: ask for fewer at once");
        }

        return _answer.AsMemory(0, length);
    }

    public void Dispose()
    {
        ArrayPool<Digest>.Shared.Return(_digests);
        ArrayPool<(int, int)>.Shared.Return(_fields);
        if (_answer.Length > 0) ArrayPool<byte>.Shared.Return(_answer);
        _answer = [];
    }

    private static (InstanceName Instance, int Count, WireDigestFunction Function, int SampleLength) ReadEnvelope(ReadOnlySpan<byte> message)
    {
        string instance = "";
        var function = WireDigestFunction.Unknown;
        int count = 0, sampleLength = 0;
        var scanner = new ProtoScanner(message);
        while (scanner.MoveNext())
        {
            switch (scanner.Field, scanner.WireType)
            {
                case (InstanceField, ProtoScanner.Bytes):
                    instance = WireText.Read(scanner.ReadBytes());
                    break;
                case (DigestField, ProtoScanner.Bytes):
                    var digest = scanner.ReadBytes();
                    if (count++ == 0) sampleLength = HashLength(digest);
                    count += scanner.SkipRun(DigestTag);
                    break;
                case (FunctionField, ProtoScanner.Varint):
                    function = (WireDigestFunction)(int)scanner.ReadVarint();
                    break;
                default:
                    scanner.Skip();
                    break;
            }
        }

        return (Door.Instance(instance), count, function, sampleLength);
    }

    private static int HashLength(ReadOnlySpan<byte> digest)
    {
        DigestFields.Read(digest, out var hash, out _);
        return DigestFields.HashLength(hash);
    }

    private static Digest ReadDigest(ReadOnlySpan<byte> message, DigestFunction function, int index)
    {
        DigestFields.Read(message, out var hash, out long sizeBytes);
        return Digest.TryParse(function, hash, sizeBytes, out var digest, out string? error)
            ? digest
            : throw RpcErrors.InvalidField("blob_digests", $"blob_digests[{index}]: {error}");
    }
}
