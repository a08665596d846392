namespace RemoteExec.Conformance;

/// <summary>Frames by hand (RFC 8878) that are small and mean much.</summary>
internal static class ZstdBombs
{
    public static readonly byte[] Magic = [0x28, 0xB5, 0x2F, 0xFD];

    // One block that repeats a byte 128 KiB times (RLE_Block): four bytes for 131,072.
    private static readonly byte[] Repeated = [.. BitConverter.GetBytes((128 << 10 << 3) | 0b010)[..3], 0];

    /// <summary>1.3 GB in 40 KB, with a window of 512 KiB.</summary>
    public static byte[] Gigabyte { get; } = [.. Magic, 0x00, 0x48, .. Enumerable.Repeat(Repeated, 10_000).SelectMany(block => block)];

    /// <summary>The same behind a window of 16 MiB, which decoders may refuse.</summary>
    public static byte[] LargeWindow { get; } = [.. Magic, 0x00, 0x70, .. Enumerable.Repeat(Repeated, 10_000).SelectMany(block => block)];

    /// <summary>A window of 3.75 TiB, the most that a header can ask for.</summary>
    public static byte[] HugeWindow { get; } = [.. Magic, 0x00, 0xFF, .. Repeated];
}
