using System.Text;
using System.Text.Unicode;

namespace RemoteExec.Files;

/// <summary>
/// A name or path in the kernel's own form: bytes with a closing NUL. An action may create names that are no UTF-8, which must
/// still be removable although they can never be an output.
/// </summary>
public readonly struct FileName
{
    private readonly byte[] _bytes; // with the closing NUL

    private FileName(byte[] bytes) => _bytes = bytes;

    public ReadOnlySpan<byte> Bytes => _bytes.AsSpan(0, _bytes.Length - 1);

    /// <summary>For the calls: ends in NUL.</summary>
    internal ReadOnlySpan<byte> Terminated => _bytes;

    public static implicit operator FileName(string name) => From(name);

    public static FileName From(string name)
    {
        var bytes = new byte[Encoding.UTF8.GetByteCount(name) + 1];
        Encoding.UTF8.GetBytes(name, bytes);
        return new FileName(bytes);
    }

    public static FileName From(ReadOnlySpan<byte> name)
    {
        var bytes = new byte[name.Length + 1];
        name.CopyTo(bytes);
        return new FileName(bytes);
    }

    /// <summary>The protocol carries names as UTF-8 strings; other bytes have no place in it.</summary>
    public bool TryDecode(out string name)
    {
        if (Utf8.IsValid(Bytes))
        {
            name = Encoding.UTF8.GetString(Bytes);
            return true;
        }

        name = "";
        return false;
    }

    /// <summary>For messages only: bytes that are no UTF-8 become replacement characters.</summary>
    public override string ToString() => Encoding.UTF8.GetString(Bytes);
}
