using Microsoft.Win32.SafeHandles;
using RemoteExec.Storage;

namespace RemoteExec.Worker.Tests;

/// <summary>The smallest honest local store: a folder of files that are linked from and copied into.</summary>
internal sealed class FolderBlobStore : ILocalBlobStore
{
    private readonly string _folder;

    public FolderBlobStore(string folder)
    {
        _folder = folder;
        Directory.CreateDirectory(folder);
    }

    public string PathOf(Digest digest) => Path.Combine(_folder, digest.Hash);

    public bool Has(Digest digest) => digest.IsEmpty || File.Exists(PathOf(digest));

    public void Remove(Digest digest) => File.Delete(PathOf(digest));

    public ValueTask<IReadOnlyList<Digest>> FindMissingAsync(IReadOnlyList<Digest> digests, CancellationToken cancellationToken) =>
        ValueTask.FromResult<IReadOnlyList<Digest>>([.. digests.Where(digest => !Has(digest)).Distinct()]);

    public ValueTask<IBlobReader?> OpenReadAsync(Digest digest, long offset, CancellationToken cancellationToken)
    {
        if (!Has(digest)) return ValueTask.FromResult<IBlobReader?>(null);
        byte[] bytes = digest.IsEmpty ? [] : File.ReadAllBytes(PathOf(digest));
        return ValueTask.FromResult<IBlobReader?>(new Reader(new MemoryStream(bytes) { Position = offset }));
    }

    public ValueTask<IBlobWriter> CreateWriterAsync(Digest digest, CancellationToken cancellationToken) =>
        ValueTask.FromResult<IBlobWriter>(new Writer(this, digest));

    public ValueTask<IReadOnlyList<Digest>> LinkManyAsync(IReadOnlyList<BlobLink> links, CancellationToken cancellationToken)
    {
        var missing = new List<Digest>();
        foreach (var link in links)
        {
            if (link.Digest.IsEmpty) File.Create(link.Path).Dispose();
            else if (!Has(link.Digest)) missing.Add(link.Digest);
            else Native.HardLink(PathOf(link.Digest), link.Path);
        }
        return ValueTask.FromResult<IReadOnlyList<Digest>>(missing);
    }

    public ValueTask<Digest> ImportFileAsync(DigestFunction function, SafeFileHandle file, CancellationToken cancellationToken)
    {
        byte[] bytes = new byte[RandomAccess.GetLength(file)];
        RandomAccess.Read(file, bytes, 0);
        return ValueTask.FromResult(Put(function, bytes));
    }

    public ValueTask<Digest> TakeFileAsync(DigestFunction function, SafeFileHandle file, CancellationToken cancellationToken) =>
        ImportFileAsync(function, file, cancellationToken);

    public void PutAside(Digest digest) => Remove(digest);

    public Digest Put(DigestFunction function, ReadOnlySpan<byte> bytes)
    {
        var digest = Digest.Of(function, bytes);
        if (!Has(digest)) File.WriteAllBytes(PathOf(digest), bytes);
        return digest;
    }

    private sealed class Reader(MemoryStream bytes) : IBlobReader
    {
        public long RemainingBytes => bytes.Length - bytes.Position;

        public ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken) => bytes.ReadAsync(buffer, cancellationToken);

        public ValueTask DisposeAsync() => bytes.DisposeAsync();
    }

    private sealed class Writer(FolderBlobStore store, Digest digest) : IBlobWriter
    {
        private readonly MemoryStream _bytes = new();

        public long WrittenBytes => _bytes.Length;

        public bool AlreadyPresent => store.Has(digest);

        public ValueTask AppendAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken) => _bytes.WriteAsync(data, cancellationToken);

        public ValueTask CommitAsync(CancellationToken cancellationToken)
        {
            if (!AlreadyPresent) store.Put(digest.Function, _bytes.ToArray());
            return ValueTask.CompletedTask;
        }

        public ValueTask DisposeAsync() => _bytes.DisposeAsync();
    }
}
