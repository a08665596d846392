using Microsoft.Win32.SafeHandles;
using RemoteExec.Core;
using RemoteExec.Storage;

namespace RemoteExec.Assets;

/// <summary>One download, or one large file of an archive, on its way into the store. For one thread at a time.</summary>
internal sealed class SpooledFile(Spool spool, string path) : IDisposable
{
    private readonly List<DigestHasher> _hashers = [];
    private SafeFileHandle? _file;
    private long _taken;

    public long LengthBytes { get; private set; }

    /// <summary>Computes these on the way. None of them asks for the length before it is known.</summary>
    public void Hash(IEnumerable<DigestFunction> functions) => _hashers.AddRange(functions.Select(function => DigestHasher.Create(function, sizeBytes: 0)));

    /// <summary>Refuses at once what will not fit. The origin may send less; it gets no more for having said so.</summary>
    public void Expect(long bytes)
    {
        if (bytes <= _taken) return;
        spool.Take(_taken, bytes - _taken);
        _taken = bytes;
    }

    public async ValueTask AppendAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken)
    {
        Expect(LengthBytes + data.Length);
        _file ??= File.OpenHandle(path, FileMode.CreateNew, FileAccess.Write, FileShare.None);
        await RandomAccess.WriteAsync(_file, data, LengthBytes, cancellationToken);
        LengthBytes += data.Length;
        foreach (var hasher in _hashers) hasher.Append(data.Span);
    }

    /// <summary>The digests of all of it, by the functions that were asked for.</summary>
    public IReadOnlyList<Digest> Digests() => [.. _hashers.Select(hasher => hasher.Finish())];

    /// <summary>Nothing is appended any more.</summary>
    public FileStream OpenRead()
    {
        CloseWriter();
        return new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0, useAsync: false);
    }

    /// <summary>Gives it to the store.</summary>
    public async ValueTask<Digest> StoreAsync(ILocalBlobStore store, DigestFunction function, CancellationToken cancellationToken)
    {
        if (LengthBytes == 0) return Digest.Empty(function);

        CloseWriter();
        // The store takes what nobody has open for writing without copying it.
        using var file = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.Read);
        return await store.TakeFileAsync(function, file, cancellationToken);
    }

    public void Dispose()
    {
        foreach (var hasher in _hashers) hasher.Dispose();
        bool exists = _file is not null;
        CloseWriter();
        if (exists) File.Delete(path);
        spool.GiveBack(_taken);
        _taken = 0;
    }

    private void CloseWriter() => _file?.Dispose();
}
