using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using Microsoft.Win32.SafeHandles;

namespace RemoteExec.Storage;

/// <summary>What a start finds in the directory of segments, before it is a set.</summary>
internal static class SegmentFiles
{
    public static SafeFileHandle Open(string path, FileAccess access)
    {
        try
        {
            return File.OpenHandle(path, FileMode.Open, access, FileShare.ReadWrite | FileShare.Delete);
        }
        catch (UnauthorizedAccessException)
        {
            throw new FileSystemException($"opening {path}", Errno.EACCES);
        }
    }

    /// <summary>All segments of a store have one mark, so that a record can be copied as it is: that of those that are there, or a new one.</summary>
    public static ulong MarkOf(string path, int[] numbers, IDisk disk)
    {
        foreach (int number in numbers)
        {
            using var file = Open(Path.Combine(path, number.ToString(CultureInfo.InvariantCulture)), FileAccess.Read);
            if (HasHeader(file, disk, out ulong mark)) return mark;
        }

        Span<byte> random = stackalloc byte[sizeof(ulong)];
        RandomNumberGenerator.Fill(random);
        return BinaryPrimitives.ReadUInt64LittleEndian(random);
    }

    public static bool HasHeader(SafeFileHandle file, IDisk disk, out ulong mark)
    {
        mark = 0;
        Span<byte> header = stackalloc byte[SegmentFormat.HeaderBytes];
        try
        {
            return disk.Read(file, header, 0) == header.Length && SegmentFormat.TryReadHeader(header, out mark);
        }
        catch (IOException unreadable) when (Errno.IsUnreadable(unreadable.HResult))
        {
            return false; // the other segments have it too
        }
    }

    public static IEnumerable<int> NumbersIn(string path)
    {
        foreach (string file in Directory.EnumerateFiles(path))
        {
            if (int.TryParse(Path.GetFileName(file), NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number > 0)
                yield return number;
        }
    }
}
