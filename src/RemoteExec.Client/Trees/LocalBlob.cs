namespace RemoteExec.Client;

/// <summary>Content on this machine and what it is called: bytes in memory, or a file to be read when it is uploaded.</summary>
public sealed record LocalBlob
{
    private readonly ReadOnlyMemory<byte> _bytes;
    private readonly string? _path;

    private LocalBlob(Digest digest, ReadOnlyMemory<byte> bytes, string? path) => (Digest, _bytes, _path) = (digest, bytes, path);

    public Digest Digest { get; }

    public static LocalBlob OfBytes(DigestFunction function, ReadOnlyMemory<byte> bytes) =>
        new(Digest.Of(function, bytes.Span), bytes, path: null);

    /// <summary>Hashes a file now; it is read again when it is uploaded, and a change in between is refused by the server.</summary>
    public static async ValueTask<LocalBlob> OfFileAsync(DigestFunction function, string path, CancellationToken cancellationToken)
    {
        using var lent = System.Buffers.MemoryPool<byte>.Shared.Rent(FileBufferBytes);
        await using var file = OpenFile(path);
        using var hasher = Core.DigestHasher.Create(function, file.Length);
        for (int read; (read = await file.ReadAsync(lent.Memory, cancellationToken)) > 0;)
            hasher.Append(lent.Memory.Span[..read]);
        return new LocalBlob(hasher.Finish(), default, path);
    }

    /// <summary>The bytes when they are in memory; otherwise open the file.</summary>
    public bool TryGetBytes(out ReadOnlyMemory<byte> bytes)
    {
        bytes = _bytes;
        return _path is null;
    }

    public Stream Open() => _path is null ? new MemoryStream(_bytes.ToArray(), writable: false) : OpenFile(_path);

    // One read call per block of this size; larger gains nothing measurable from page cache.
    internal const int FileBufferBytes = 256 << 10;

    private static FileStream OpenFile(string path) =>
        new(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0, FileOptions.SequentialScan);
}
