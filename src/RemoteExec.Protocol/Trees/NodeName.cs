using System.Text;

namespace RemoteExec.Protocol;

/// <summary>What may stand between two slashes of a path.</summary>
public static class NodeName
{
    /// <summary>NAME_MAX of every file system that a worker uses.</summary>
    public const int BytesMax = 255;

    /// <summary>
    /// Null for one path segment (REAPI FileNode.name). Control characters are legal; what Windows or a case-insensitive
    /// file system cannot hold is for a worker there to refuse.
    /// </summary>
    public static string? Check(string name)
    {
        if (name.Length == 0) return "a name is empty";
        if (name is "." or "..") return $"'{name}' is not a name";
        if (name.AsSpan().ContainsAny('/', '\0')) return $"the name '{name}' has a slash or a NUL";
        if (name.Length * 3 > BytesMax && Encoding.UTF8.GetByteCount(name) > BytesMax)
            return $"the name '{name[..32]}…' is longer than {BytesMax} bytes";
        return null;
    }

    /// <summary>
    /// The order in which REAPI sorts: by UTF-8 bytes. UTF-16 agrees with it except above U+FFFF, whose surrogates
    /// (D800…DFFF) sort below U+E000…U+FFFF.
    /// </summary>
    public static int Compare(string left, string right)
    {
        int common = left.AsSpan().CommonPrefixLength(right);
        if (common == left.Length || common == right.Length) return left.Length.CompareTo(right.Length);

        char a = left[common], b = right[common];
        bool aHigh = char.IsSurrogate(a), bHigh = char.IsSurrogate(b);
        return aHigh == bHigh ? a.CompareTo(b) : aHigh ? 1 : -1;
    }
}
