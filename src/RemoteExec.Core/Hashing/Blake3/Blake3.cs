namespace RemoteExec.Core;

/// <summary>The numbers of BLAKE3 (specification by O'Connor, Aumasson, Neves and Wilcox-O'Hearn, 2020, section 2).</summary>
internal static class Blake3
{
    public const int HashBytes = 32;
    public const int BlockBytes = 64;
    public const int ChunkBytes = 1024;
    public const int BlocksPerChunk = ChunkBytes / BlockBytes;
    public const int Rounds = 7;

    public const uint ChunkStart = 1;
    public const uint ChunkEnd = 2;
    public const uint Parent = 4;
    public const uint Root = 8;

    // The first words of SHA-256's initial value, here as constants for registers, below as a table.
    public const uint InitialWord0 = 0x6a09e667;
    public const uint InitialWord1 = 0xbb67ae85;
    public const uint InitialWord2 = 0x3c6ef372;
    public const uint InitialWord3 = 0xa54ff53a;

    public static ReadOnlySpan<uint> InitialWords =>
    [
        InitialWord0, InitialWord1, InitialWord2, InitialWord3, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
    ];

    /// <summary>Which message word each step of each round takes: the permutation of table 2, applied round after round.</summary>
    public static ReadOnlySpan<byte> MessageOrder =>
    [
        0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
        2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8,
        3, 4, 10, 12, 13, 2, 7, 14, 6, 5, 9, 0, 11, 15, 8, 1,
        10, 7, 12, 9, 14, 3, 13, 15, 4, 0, 11, 2, 5, 8, 1, 6,
        12, 13, 9, 11, 15, 10, 14, 8, 7, 2, 5, 3, 0, 1, 6, 4,
        9, 14, 11, 5, 8, 12, 15, 1, 13, 3, 0, 10, 2, 6, 4, 7,
        11, 15, 5, 0, 1, 9, 8, 6, 14, 10, 2, 12, 3, 4, 7, 13,
    ];
}
