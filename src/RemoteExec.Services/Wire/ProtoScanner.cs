using System.Runtime.CompilerServices;
using Grpc.Core;

namespace RemoteExec.Services;

/// <summary>
/// Walks the fields of one encoded message without making objects (protobuf encoding, "Message Structure").
/// For the few messages that carry very much of very little.
/// </summary>
internal ref struct ProtoScanner(ReadOnlySpan<byte> message)
{
    public const int Varint = 0;
    public const int Bytes = 2;

    public const int Fixed64 = 1;
    public const int Fixed32 = 5;

    private readonly ReadOnlySpan<byte> _message = message;
    private int _position;

    /// <summary>Where the next byte is read, in the message.</summary>
    public readonly int Position => _position;

    public readonly bool IsAtEnd => _position == _message.Length;

    public int Field { get; private set; }

    public int WireType { get; private set; }

    /// <summary>Reads the next tag; false at the end of the message.</summary>
    public bool MoveNext()
    {
        if (_position == _message.Length) return false;

        ulong tag = ReadVarint();
        Field = (int)(tag >> 3);
        WireType = (int)(tag & 7);
        // Field numbers have 29 bits, and there is no zero.
        return tag <= uint.MaxValue && Field > 0 ? true : throw Malformed();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ulong ReadVarint() =>
        // Tags, and the lengths of hashes and digests, all have one byte.
        _position < _message.Length && _message[_position] < 0x80 ? _message[_position++] : ReadLongVarint();

    public ReadOnlySpan<byte> ReadBytes()
    {
        ulong length = ReadVarint();
        if (length > (ulong)(_message.Length - _position)) throw Malformed();

        var bytes = _message.Slice(_position, (int)length);
        _position += (int)length;
        return bytes;
    }

    /// <summary>Passes over a field that a newer client may have added.</summary>
    public void Skip()
    {
        switch (WireType)
        {
            case Varint: ReadVarint(); break;
            case Fixed64: Advance(8); break;
            case Bytes: ReadBytes(); break;
            case Fixed32: Advance(4); break;
            // Groups are not in proto3, and their nesting is an attack. A generated parser passes over one as over any field that it does not know;
            // nobody sends them, so that this is where the two differ.
            default: throw Malformed();
        }
    }

    /// <summary>Passes over the fields that come next for as long as they have this tag of one byte and a length of one byte; answers how many.</summary>
    public int SkipRun(byte tag)
    {
        var message = _message;
        int position = _position, count = 0;
        while (position + 1 < message.Length && message[position] == tag)
        {
            int length = message[position + 1];
            if (length >= 0x80 || length > message.Length - position - 2) break;
            position += 2 + length;
            count++;
        }

        _position = position;
        return count;
    }

    public void Advance(int bytes)
    {
        if (bytes > _message.Length - _position) throw Malformed();
        _position += bytes;
    }

    private ulong ReadLongVarint()
    {
        ulong value = 0;
        for (int shift = 0; shift < 70; shift += 7)
        {
            if (_position == _message.Length) throw Malformed();
            byte next = _message[_position++];
            value |= (ulong)(next & 0x7F) << shift;
            if (next < 0x80) return value;
        }

        throw Malformed();
    }

    // As what a generated parser refuses (CheckedMessages).
    public static RpcException Malformed() => new(new Status(StatusCode.InvalidArgument, "the message is not valid protobuf"));
}
