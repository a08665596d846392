using Amazon.Runtime;
using RemoteExec.Core;

namespace RemoteExec.Storage.S3;

/// <summary>Blobs as objects of a bucket, of any service that speaks S3. What is read whole is checked, what is written is checked before it is an object.</summary>
/// <remarks>Objects are never deleted here: how long they live is up to the bucket's rules.</remarks>
public sealed class S3BlobStore : IBlobStore, IDisposable
{
    private readonly S3BlobStoreOptions _options;
    private readonly SemaphoreSlim _questions;

    public S3BlobStore(S3BlobStoreOptions options)
        : this(options, credentials: null)
    {
    }

    /// <param name="credentials">Null: from where the SDK looks for them.</param>
    internal S3BlobStore(S3BlobStoreOptions options, AWSCredentials? credentials)
    {
        _options = options;
        _questions = new SemaphoreSlim(options.QuestionsAtOnce);
        Objects = new S3Objects(options, credentials);
        Presence = new Presence(options);
    }

    internal S3Objects Objects { get; }

    internal Presence Presence { get; }

    public async ValueTask<IReadOnlyList<Digest>> FindMissingAsync(IReadOnlyList<Digest> digests, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var asked = digests.Where(digest => !digest.IsEmpty).Distinct().ToList();
        bool[] here = new bool[asked.Count];
        await Parallel.ForAsync(0, asked.Count, new ParallelOptions { MaxDegreeOfParallelism = _options.QuestionsAtOnce, CancellationToken = cancellationToken }, async (i, cancelled) =>
            here[i] = await HasAsync(asked[i], cancelled));
        return [.. asked.Where((_, i) => !here[i])];
    }

    public async ValueTask<IBlobReader?> OpenReadAsync(Digest digest, long offset, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        StorageErrors.CheckOffset(digest, offset);
        if (digest.IsEmpty) return new MemoryBlobReader(default);
        if (Presence.Find(digest) == false) return null;
        if (offset == digest.SizeBytes) return await HasAsync(digest, cancellationToken) ? new MemoryBlobReader(default) : null;

        var reader = new S3BlobReader(this, digest, offset);
        try
        {
            if (await reader.TryOpenAsync(cancellationToken)) return reader;
        }
        catch
        {
            await reader.DisposeAsync();
            throw;
        }

        await reader.DisposeAsync();
        Presence.Saw(digest, isThere: false);
        return null;
    }

    public async ValueTask<IBlobWriter> CreateWriterAsync(Digest digest, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return digest.IsEmpty || await HasAsync(digest, cancellationToken)
            ? new PresentBlobWriter(digest)
            : new S3BlobWriter(this, digest, PartBytesOf(digest));
    }

    public void Dispose()
    {
        Objects.Dispose();
        _questions.Dispose();
    }

    // S3 takes 10,000 parts.
    private int PartBytesOf(in Digest digest) => (int)Math.Min(digest.SizeBytes, Math.Max(_options.PartBytes, (digest.SizeBytes / 9_000) + 1));

    private async ValueTask<bool> HasAsync(Digest digest, CancellationToken cancellationToken)
    {
        if (Presence.Find(digest) is { } known) return known;

        // All callers together: a connection each.
        await _questions.WaitAsync(cancellationToken);
        try
        {
            bool isThere = await Objects.HeadAsync(digest, cancellationToken) is { } found && found.Bytes == digest.SizeBytes && Outlasts(found.Written);
            Presence.Saw(digest, isThere);
            return isThere;
        }
        finally
        {
            _questions.Release();
        }
    }

    private bool Outlasts(DateTimeOffset written) =>
        _options.ObjectLifetime is not { } lifetime || written + lifetime - _options.Time.GetUtcNow() > _options.Retention + _options.PresenceTime;
}
