using System.Collections.Concurrent;
using System.Diagnostics;
using Grpc.Core;
using Microsoft.Win32.SafeHandles;
using RemoteExec.Core;

namespace RemoteExec.Storage;

/// <summary>
/// A store on this disk with a larger one behind it. What is stored here is brought behind later (<see cref="WriteBehind"/>); what is only behind is
/// here again before anybody reads it, and its hash is checked on the way. Whatever is wrong with the store behind, it is as if that were empty: no
/// build fails whose blobs are here.
/// </summary>
/// <remarks>
/// What is only behind is told as present: it is kept there, for as long as whoever runs that store lets it, and read from there. When it cannot be
/// read after all, it is a miss, which makes its client upload it or run what makes it; an error would end the build.
/// </remarks>
public sealed class TieredBlobStore(ILocalBlobStore local, IBlobStore far, WriteBehind behind, TimeProvider time) : ILocalBlobStore, IAsyncDisposable
{
    // Each holds a connection and a file.
    private const int FetchesMax = 32;

    // What could not be read is missing for so long, whatever the store behind says that it has: whoever is told so brings it anew.
    private static readonly TimeSpan UnreadableTime = TimeSpan.FromMinutes(10);
    private const int UnreadableMax = 10_000;

    private readonly SizedLru<Digest, long> _unreadable = new(UnreadableMax);
    private readonly ConcurrentDictionary<Digest, Task<Fetched>> _fetches = new();
    private readonly SemaphoreSlim _places = new(FetchesMax);
    private readonly CancellationTokenSource _ending = new();
    private long _fetched;
    private long _missed;
    private long _failed;

    private enum Fetched
    {
        /// <summary>It is on this disk.</summary>
        Here,

        /// <summary>It is not behind either, or cannot be had from there.</summary>
        Missing,

        /// <summary>It is behind, and this disk is full of what was promised.</summary>
        NoRoom,
    }

    /// <summary>Blobs that were brought back.</summary>
    public long FetchedBlobs => Volatile.Read(ref _fetched);

    /// <summary>Reads that found nothing behind either.</summary>
    public long MissedBlobs => Volatile.Read(ref _missed);

    /// <summary>Questions and reads that the store behind did not answer, or with something else than was asked for.</summary>
    public long Failures => Volatile.Read(ref _failed);

    public async ValueTask<IReadOnlyList<Digest>> FindMissingAsync(IReadOnlyList<Digest> digests, CancellationToken cancellationToken) =>
        await NowhereAsync(await local.FindMissingAsync(digests, cancellationToken), cancellationToken);

    public async ValueTask<IReadOnlyList<Digest>> FindMissingAsync(
        IReadOnlyList<Digest> digests, PromiseKind kind, CancellationToken cancellationToken) =>
        await NowhereAsync(await local.FindMissingAsync(digests, kind, cancellationToken), cancellationToken);

    /// <summary>Shares the disk's flushes. What is stored is in the queue before it is on the disk, as when it comes alone.</summary>
    public async ValueTask<Status[]> WriteManyAsync(IReadOnlyList<(Digest Digest, ReadOnlyMemory<byte> Data)> blobs, CancellationToken cancellationToken)
    {
        // Of what is here, whoever stored it has seen to that.
        var fresh = (await local.FindMissingAsync([.. blobs.Select(blob => blob.Digest)], cancellationToken)).ToHashSet();
        foreach (var digest in fresh) behind.Announce(digest);
        await behind.FlushAsync();
        try
        {
            var statuses = await local.WriteManyAsync(blobs, cancellationToken);
            var stored = new HashSet<Digest>();
            for (int i = 0; i < statuses.Length; i++)
                if (statuses[i].StatusCode == StatusCode.OK) stored.Add(blobs[i].Digest);
            Settle(fresh, stored.Contains);
            return statuses;
        }
        catch
        {
            // Part of it may be here, and was told to nobody: whoever uploads that next finds it present, and brings nothing behind.
            var absent = (await local.FindMissingAsync([.. fresh], CancellationToken.None)).ToHashSet();
            Settle(fresh, digest => !absent.Contains(digest));
            throw;
        }
    }

    /// <summary>What is only behind is brought here first, side by side; then all are read together.</summary>
    public async ValueTask ReadManyAsync(IReadOnlyList<Digest> digests, IBlobReceiver receiver, CancellationToken cancellationToken)
    {
        var missing = await local.FindMissingAsync(digests, cancellationToken);
        var fetched = missing.Count == 0 ? [] : await Task.WhenAll(missing.Select(digest => FetchAsync(digest, cancellationToken).AsTask()));
        if (fetched.Contains(Fetched.NoRoom)) await this.ReadEachAsync(digests, receiver, cancellationToken);
        else await local.ReadManyAsync(digests, receiver, cancellationToken);
    }

    private async ValueTask<IReadOnlyList<Digest>> NowhereAsync(IReadOnlyList<Digest> missing, CancellationToken cancellationToken)
    {
        if (missing.Count == 0) return missing;
        try
        {
            var nowhere = (await far.FindMissingAsync(missing, cancellationToken)).ToHashSet();
            return nowhere.Count == missing.Count ? missing : [.. missing.Where(digest => nowhere.Contains(digest) || IsUnreadable(digest))];
        }
        catch (RpcException away) when (!cancellationToken.IsCancellationRequested)
        {
            Tell("was not asked what it has", away);
            return missing;
        }
    }

    public async ValueTask<IBlobReader?> OpenReadAsync(Digest digest, long offset, CancellationToken cancellationToken) =>
        await local.OpenReadAsync(digest, offset, cancellationToken) ?? await OpenFetchedAsync(digest, offset, cancellationToken);

    public async ValueTask<IBlobReader?> OpenToEndAsync(Digest digest, long offset, CancellationToken cancellationToken) =>
        await local.OpenToEndAsync(digest, offset, cancellationToken) ?? await OpenFetchedAsync(digest, offset, cancellationToken);

    private async ValueTask<IBlobReader?> OpenFetchedAsync(Digest digest, long offset, CancellationToken cancellationToken) =>
        await FetchAsync(digest, cancellationToken) switch
        {
            Fetched.Here => await local.OpenReadAsync(digest, offset, cancellationToken),
            Fetched.NoRoom => await OpenFarAsync(digest, offset, cancellationToken),
            _ => null,
        };

    public async ValueTask<IBlobWriter> CreateWriterAsync(Digest digest, CancellationToken cancellationToken)
    {
        var writer = await local.CreateWriterAsync(digest, cancellationToken);
        return digest.IsEmpty ? writer : new TieredBlobWriter(digest, writer, behind);
    }

    public async ValueTask<IReadOnlyList<Digest>> LinkManyAsync(IReadOnlyList<BlobLink> links, CancellationToken cancellationToken)
    {
        var missing = await local.LinkManyAsync(links, cancellationToken);
        if (missing.Count == 0) return missing;

        var fetched = await Task.WhenAll(missing.Select(async digest => (Digest: digest, End: await FetchAsync(digest, cancellationToken))));
        var here = fetched.Where(one => one.End == Fetched.Here).Select(one => one.Digest).ToHashSet();
        if (here.Count == 0) return missing;
        var again = await local.LinkManyAsync([.. links.Where(link => here.Contains(link.Digest))], cancellationToken);
        return [.. missing.Where(digest => !here.Contains(digest)), .. again];
    }

    public async ValueTask<Digest> ImportFileAsync(DigestFunction function, SafeFileHandle file, CancellationToken cancellationToken) =>
        await BringAsync(await local.ImportFileAsync(function, file, cancellationToken));

    public async ValueTask<Digest> TakeFileAsync(DigestFunction function, SafeFileHandle file, CancellationToken cancellationToken) =>
        await BringAsync(await local.TakeFileAsync(function, file, cancellationToken));

    public void PutAside(Digest digest) => local.PutAside(digest);

    public async ValueTask DisposeAsync()
    {
        await _ending.CancelAsync();
        await Task.WhenAll(_fetches.Values); // none of them fails
        _places.Dispose();
        _ending.Dispose();
    }

    /// <summary>What became of those that were announced.</summary>
    private void Settle(HashSet<Digest> announced, Predicate<Digest> isStored)
    {
        foreach (var digest in announced)
        {
            if (isStored(digest)) behind.Stored(digest);
            else behind.Abandon(digest);
        }
    }

    /// <summary>What it is called is known only now; its action is not over before this is remembered, and runs again after a kill or a loss of power.</summary>
    private async ValueTask<Digest> BringAsync(Digest digest)
    {
        if (digest.IsEmpty) return digest;

        behind.Stored(digest);
        await behind.FlushAsync();
        return digest;
    }

    /// <summary>Brings a blob back, once for all who want it; who leaves takes nobody along.</summary>
    private async ValueTask<Fetched> FetchAsync(Digest digest, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var own = new TaskCompletionSource<Fetched>(TaskCreationOptions.RunContinuationsAsynchronously);
        var flight = _fetches.GetOrAdd(digest, own.Task);
        if (flight == own.Task) _ = LeadAsync(digest, own);
        return await flight.WaitAsync(cancellationToken);
    }

    private async Task LeadAsync(Digest digest, TaskCompletionSource<Fetched> flight)
    {
        var end = Fetched.Missing;
        try
        {
            await _places.WaitAsync(_ending.Token);
            try
            {
                end = await CopyAsync(digest);
            }
            finally
            {
                _places.Release();
            }
        }
        catch (Exception failure)
        {
            // Of whatever type, it is this blob's: a miss (D8).
            _unreadable.Set(digest, time.GetTimestamp(), size: 1);
            if (!_ending.IsCancellationRequested) Tell($"did not give blob {digest}", failure);
        }
        finally
        {
            // In this order: who comes now must not find this flight again.
            _fetches.TryRemove(digest, out _);
            flight.SetResult(end);
        }
    }

    private async ValueTask<Fetched> CopyAsync(Digest digest)
    {
        try
        {
            if (await far.CopyAsync(digest, local, _ending.Token) is null)
            {
                Interlocked.Increment(ref _missed);
                _unreadable.Set(digest, time.GetTimestamp(), size: 1); // whatever was remembered of it
                return Fetched.Missing;
            }
        }
        catch (RpcException full) when (full.StatusCode == StatusCode.ResourceExhausted)
        {
            return Fetched.NoRoom;
        }

        Interlocked.Increment(ref _fetched);
        return Fetched.Here;
    }

    /// <summary>Past a disk that is full: read whole, since only the whole has a hash, and given out behind the offset.</summary>
    private async ValueTask<IBlobReader?> OpenFarAsync(Digest digest, long offset, CancellationToken cancellationToken)
    {
        IBlobReader? reader = null;
        try
        {
            reader = await far.OpenReadAsync(digest, offset: 0, cancellationToken);
            if (reader is null) return null;

            var verifying = new VerifyingBlobReader(digest, reader);
            await verifying.SkipAsync(offset, cancellationToken);
            return verifying;
        }
        catch (RpcException failure) when (!cancellationToken.IsCancellationRequested)
        {
            if (reader is not null) await reader.DisposeAsync();
            _unreadable.Set(digest, time.GetTimestamp(), size: 1);
            Tell($"did not give blob {digest}", failure);
            return null;
        }
    }

    private bool IsUnreadable(Digest digest) => _unreadable.TryGet(digest, out long since) && time.GetElapsedTime(since) < UnreadableTime;

    private void Tell(string what, Exception failure)
    {
        Interlocked.Increment(ref _failed);
        // An outage is told once, by whoever sees it begin.
        if (failure is not RpcException { StatusCode: StatusCode.Unavailable }) Trace.TraceWarning($"the store behind {what}: {failure.Message}");
    }
}
