using RemoteExec.Protocol;

namespace RemoteExec.Services;

/// <summary>
/// A BatchUpdateBlobsRequest or a BatchReadBlobsRequest, read from its encoding.
/// <code>
/// update   1: instance_name   2: requests*                                5: digest_function
/// read     1: instance_name   2: digests*    3: acceptable_compressors*   4: digest_function
/// </code>
/// </summary>
internal sealed record BatchQuery(IReadOnlyList<BatchEntry> Entries, DigestFunction Function, bool AcceptsZstd)
{
    private const int InstanceField = 1;
    private const int EntryField = 2;
    private const int CompressorsField = 3;
    private const int ReadFunctionField = 4;
    private const int UpdateFunctionField = 5;

    public static BatchQuery ParseUpdate(ReadOnlySpan<byte> message, DigestFunction unnamed) => Parse(message, UpdateFunctionField, unnamed);

    public static BatchQuery ParseRead(ReadOnlySpan<byte> message, DigestFunction unnamed) => Parse(message, ReadFunctionField, unnamed);

    private static BatchQuery Parse(ReadOnlySpan<byte> message, int functionField, DigestFunction unnamed)
    {
        bool isRead = functionField == ReadFunctionField;
        var entries = new List<BatchEntry>();
        var named = WireDigestFunction.Unknown;
        bool acceptsZstd = false;
        string instance = "";
        var scanner = new ProtoScanner(message);
        while (scanner.MoveNext())
        {
            switch (scanner.Field, scanner.WireType)
            {
                case (InstanceField, ProtoScanner.Bytes):
                    instance = WireText.Read(scanner.ReadBytes());
                    break;
                case (EntryField, ProtoScanner.Bytes):
                    if (entries.Count == BatchRules.ItemsMax) throw BatchRules.TooMany();
                    var place = BatchEntry.PlaceOf(ref scanner, offset: 0);
                    entries.Add(isRead ? new BatchEntry { Digest = place } : BatchEntry.Parse(message, place));
                    break;
                case (CompressorsField, ProtoScanner.Varint) when isRead:
                    acceptsZstd |= (WireCompressor)(int)scanner.ReadVarint() == WireCompressor.Zstd;
                    break;
                case (CompressorsField, ProtoScanner.Bytes) when isRead: // packed, as proto3 writes it
                    var packed = new ProtoScanner(scanner.ReadBytes());
                    while (!packed.IsAtEnd) acceptsZstd |= (WireCompressor)(int)packed.ReadVarint() == WireCompressor.Zstd;
                    break;
                case (ReadFunctionField or UpdateFunctionField, ProtoScanner.Varint) when scanner.Field == functionField:
                    named = (WireDigestFunction)(int)scanner.ReadVarint();
                    break;
                default:
                    scanner.Skip();
                    break;
            }
        }

        Door.Instance(instance);
        return new BatchQuery(entries, WireDigests.FunctionOf(named, entries.Count == 0 ? null : entries[0].Sample(message), unnamed), acceptsZstd);
    }
}
