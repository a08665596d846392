using System.Collections.Concurrent;
using Grpc.Core;
using Microsoft.Win32.SafeHandles;

namespace RemoteExec.Storage;

/// <summary>
/// After a loss of power: a file was flushed before anybody was told of it, and a disk that lied about that is found out here. What an index calls
/// unsure is hashed on its first use, and then sure, or a miss.
/// </summary>
/// <remarks>
/// Records of segments have a checksum that each reading compares, and files that were made unflushed are made again by the restart. Asking whether a
/// blob is there is no use; to offer its bytes is one, since those would be thrown away for the sake of what is there. A hit of the action cache is one, up to
/// <see cref="HitBytesMax"/>: its client may not ask for the outputs before the build that needs them, and a miss would end that; the scrub sees to the others.
/// </remarks>
internal sealed class FirstUses(DiskBlobStore store, long readTwiceBytesMax) : IAsyncDisposable
{
    // A few milliseconds of hashing, for each hit.
    private const long HitBytesMax = 4 << 20;

    // One job of the bulk threads, which uploads need too; and so much is still hashed when the server ends.
    private const long PieceBytes = 4 << 20;

    // Of one input root: those of more than a piece wait for their places.
    private const int ChecksAtOnce = 8;

    private readonly ConcurrentDictionary<Digest, Task<Verdict>> _checks = new();
    private readonly SemaphoreSlim _largePlaces = new(Math.Max(1, Environment.ProcessorCount / 2));
    private readonly CancellationTokenSource _ending = new();

    /// <summary>All are sure, as they always are but after a loss of power.</summary>
    public bool AreOver => store.Index.UnsureCount == 0;

    /// <summary>A large one that is read from its beginning to its end is hashed on the way: the disk would have to give it back twice.</summary>
    public bool IsWhileRead(in Digest digest) =>
        digest.SizeBytes > readTwiceBytesMax && store.Index.Find(digest) is { IsUnsure: true, FrameBytes: 0 };

    /// <summary>
    /// Whether a blob may be used; if it may not, it is a miss from now on. Once for all who ask at the same time; who leaves takes nobody along. A blob that
    /// is not here is left to whoever looks for it.
    /// </summary>
    public async ValueTask<bool> CheckAsync(Digest digest, CancellationToken cancellationToken)
    {
        if (!store.Index.IsUnsure(digest)) return true;

        var own = new TaskCompletionSource<Verdict>(TaskCreationOptions.RunContinuationsAsynchronously);
        var check = _checks.GetOrAdd(digest, own.Task);
        if (check == own.Task) _ = LeadAsync(digest, own);
        var verdict = await check.WaitAsync(cancellationToken);
        return verdict.Failure is { } failure ? throw ForOne(digest, failure) : verdict.IsGood;
    }

    public async ValueTask CheckManyAsync(IEnumerable<Digest> digests, CancellationToken cancellationToken)
    {
        if (AreOver) return;

        var unsure = digests.Where(digest => store.Index.IsUnsure(digest)).Distinct().ToList();
        var atOnce = new ParallelOptions { MaxDegreeOfParallelism = ChecksAtOnce, CancellationToken = cancellationToken };
        await Parallel.ForEachAsync(unsure, atOnce, async (digest, cancelled) => await CheckAsync(digest, cancelled));
    }

    public async ValueTask CheckHitAsync(IReadOnlyList<Digest> digests, CancellationToken cancellationToken)
    {
        if (AreOver) return;

        long bytes = 0;
        foreach (var digest in digests)
        {
            if (!store.Index.IsUnsure(digest) || bytes + digest.SizeBytes > HitBytesMax) continue;
            bytes += digest.SizeBytes;
            await CheckAsync(digest, cancellationToken);
        }
    }

    /// <summary>The same of one whose bytes were read for whoever wanted them.</summary>
    public bool Check(in Digest digest, ReadOnlySpan<byte> data)
    {
        if (AreOver || !store.Index.IsUnsure(digest)) return true;

        bool isGood = Digest.Of(digest.Function, data) == digest;
        if (isGood) store.Index.Trust(digest);
        else store.Bad.LoseUnsure(digest);
        return isGood;
    }

    /// <summary>The file that it was opened as was hashed.</summary>
    public bool Decide(in Digest digest, bool isGood, SafeFileHandle file)
    {
        if (isGood) store.Index.Trust(digest);
        else store.Bad.LoseFile(digest, BlobFileKinds.Executable, file);
        return isGood;
    }

    /// <summary>Ends what is being hashed, within a piece of it.</summary>
    public async ValueTask DisposeAsync()
    {
        await _ending.CancelAsync();
        await Task.WhenAll(_checks.Values); // none of them fails
        _largePlaces.Dispose();
        _ending.Dispose();
    }

    private async Task LeadAsync(Digest digest, TaskCompletionSource<Verdict> check)
    {
        Verdict verdict;
        try
        {
            verdict = new Verdict(await LookAsync(digest), null);
        }
        catch (Exception failure)
        {
            // Of whatever type, it is that of who asks for this blob; the next one tries again.
            verdict = new Verdict(false, _ending.IsCancellationRequested
                ? StorageErrors.Create(StatusCode.Unavailable, $"the server ends: whether blob {digest} survived a loss of power is not known yet")
                : failure);
        }

        // In this order: who comes now must not find this one again.
        _checks.TryRemove(digest, out _);
        check.SetResult(verdict);
    }

    private async ValueTask<bool> LookAsync(Digest digest)
    {
        _ending.Token.ThrowIfCancellationRequested();
        // Some threads are left to uploads, and small ones do not wait for gigabytes.
        bool isLarge = digest.SizeBytes > PieceBytes;
        if (isLarge) await _largePlaces.WaitAsync(_ending.Token);
        try
        {
            using var look = new Look(store, digest);
            while (true)
            {
                _ending.Token.ThrowIfCancellationRequested();
                if (await store.Bulk.RunAsync(look.GoOn) is { } isGood) return isGood;
            }
        }
        finally
        {
            if (isLarge) _largePlaces.Release();
        }
    }

    /// <summary>Several calls may end with it, each with an exception of its own.</summary>
    private static Exception ForOne(in Digest digest, Exception failure) => failure is RpcException refused
        ? new RpcException(refused.Status, refused.Trailers)
        : new InvalidOperationException($"blob {digest} could not be looked at", failure);

    private readonly record struct Verdict(bool IsGood, Exception? Failure);

    /// <summary>One of them, by pieces.</summary>
    private sealed class Look(DiskBlobStore store, Digest digest) : IDisposable
    {
        private SafeFileHandle? _file;
        private FileContent? _content;
        private long _frameBytes;

        /// <summary>Null: there is more of it.</summary>
        public bool? GoOn()
        {
            try
            {
                if (_content is null && !TryBegin(out bool isDecided)) return isDecided || Lose();
                if (_content!.GoOn(PieceBytes) is not { } isGood) return null;
                if (!isGood) return Lose();

                store.Index.Trust(digest);
                return true;
            }
            catch (IOException refused)
            {
                // Too little memory or too many files are no fault of the blob.
                throw StorageErrors.FromErrno(refused.HResult, "reading a blob", store.Files.Root);
            }
        }

        public void Dispose()
        {
            _content?.Dispose();
            _file?.Dispose();
        }

        private bool TryBegin(out bool isDecided)
        {
            // Read by somebody meanwhile, or not there any more, and so no news to anybody.
            isDecided = true;
            if (store.Index.Find(digest) is not { IsUnsure: true } blob) return false;

            isDecided = false;
            _frameBytes = blob.FrameBytes;
            _file = _frameBytes > 0 ? store.Files.TryOpenFrame(digest, _frameBytes) : store.Files.TryOpen(digest);
            if (_file is null) return false;

            _content = new FileContent(_file, digest, _frameBytes, store.Disk);
            return true;
        }

        /// <summary>Whether it may be used all the same: somebody found out before, and it was stored anew.</summary>
        private bool Lose()
        {
            if (_frameBytes > 0) store.Bad.LoseFrame(digest, _frameBytes, _file);
            else store.Bad.LoseFile(digest, BlobFileKinds.Executable, _file);
            return store.Index.Find(digest) is { IsUnsure: false };
        }
    }
}
