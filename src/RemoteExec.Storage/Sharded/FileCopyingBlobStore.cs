using Microsoft.Win32.SafeHandles;
using RemoteExec.Core;

namespace RemoteExec.Storage;

/// <summary>Files for a store that is elsewhere: what becomes a blob is sent there, what becomes a file is fetched, each a copy.</summary>
public sealed class FileCopyingBlobStore(IBlobStore inner) : ILocalBlobStore
{
    private const UnixFileMode ReadOnly = UnixFileMode.UserRead | UnixFileMode.GroupRead | UnixFileMode.OtherRead;
    private const UnixFileMode Executable = UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;

    public ValueTask<IReadOnlyList<Digest>> FindMissingAsync(IReadOnlyList<Digest> digests, CancellationToken cancellationToken) =>
        inner.FindMissingAsync(digests, cancellationToken);

    public ValueTask<IBlobReader?> OpenReadAsync(Digest digest, long offset, CancellationToken cancellationToken) =>
        inner.OpenReadAsync(digest, offset, cancellationToken);

    public ValueTask<IBlobWriter> CreateWriterAsync(Digest digest, CancellationToken cancellationToken) => inner.CreateWriterAsync(digest, cancellationToken);

    public async ValueTask<IReadOnlyList<Digest>> LinkManyAsync(IReadOnlyList<BlobLink> links, CancellationToken cancellationToken)
    {
        var missing = new HashSet<Digest>();
        foreach (var link in links)
        {
            if (!missing.Contains(link.Digest) && !await TryCopyAsync(link, cancellationToken)) missing.Add(link.Digest);
        }

        return [.. missing];
    }

    public async ValueTask<Digest> ImportFileAsync(DigestFunction function, SafeFileHandle file, CancellationToken cancellationToken)
    {
        using var hasher = DigestHasher.Create(function, RandomAccess.GetLength(file));
        await using (var reader = new FileReader(file, offset: 0))
            await reader.ReadToAsync(Stream.Null, hasher, cancellationToken);
        var digest = hasher.Finish();
        // Should the file change meanwhile, its writer refuses it.
        await inner.WriteFromAsync(digest, (offset, _) => ValueTask.FromResult<IBlobReader?>(new FileReader(file, offset)), cancellationToken);
        return digest;
    }

    public ValueTask<Digest> TakeFileAsync(DigestFunction function, SafeFileHandle file, CancellationToken cancellationToken) =>
        ImportFileAsync(function, file, cancellationToken);

    /// <summary>No file of a blob is here.</summary>
    public void PutAside(Digest digest)
    {
    }

    private async ValueTask<bool> TryCopyAsync(BlobLink link, CancellationToken cancellationToken)
    {
        await using var reader = await inner.OpenReadAsync(link.Digest, offset: 0, cancellationToken);
        if (reader is null) return false;

        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, BufferSize = 0 };
        if (!OperatingSystem.IsWindows()) options.UnixCreateMode = link.Executable ? ReadOnly | Executable : ReadOnly;
        await using var file = new FileStream(link.Path, options);
        await reader.ReadToAsync(file, hasher: null, cancellationToken);
        return true;
    }

    private sealed class FileReader(SafeFileHandle file, long offset) : IBlobReader
    {
        private long _offset = offset;

        public long RemainingBytes => Math.Max(0, RandomAccess.GetLength(file) - _offset);

        public async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
        {
            int read = await RandomAccess.ReadAsync(file, buffer, _offset, cancellationToken);
            _offset += read;
            return read;
        }

        public ValueTask DisposeAsync() => ValueTask.CompletedTask; // the file is the caller's
    }
}
