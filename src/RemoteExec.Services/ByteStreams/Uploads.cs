using System.Diagnostics;
using Grpc.Core;
using RemoteExec.Core;
using RemoteExec.Protocol;
using RemoteExec.Storage;

namespace RemoteExec.Services;

/// <summary>
/// The unfinished uploads. Bounded in number and in time: each holds room in the store and an open file, most clients that break off never
/// come back, and some stay and say nothing.
/// </summary>
internal sealed class Uploads : IAsyncDisposable
{
    private readonly ServicesOptions _options;
    private readonly TimeProvider _clock;
    private readonly ZstdDecoders _decoders;
    private readonly IUploadEncoding _identity = new IdentityEncoding();
    private readonly IUploadEncoding _zstd;
    private readonly Lock _lock = new();
    private readonly Dictionary<UploadResourceName, Upload> _uploads = [];
    private readonly LinkedList<Upload> _idle = []; // those that nobody holds, the longest idle one first
    private long? _toldAt;
    private readonly PeriodicTimer _sweeps;
    private readonly Task _sweeping;

    public Uploads(ServicesOptions options, TimeProvider clock)
    {
        _options = options;
        _clock = clock;
        _decoders = new ZstdDecoders(clock);
        _zstd = new ZstdEncoding(_decoders);
        _sweeps = new PeriodicTimer(options.UploadIdleMax / 2, clock);
        _sweeping = SweepAsync();
    }

    public IServicesObserver Observer => _options.Observer;

    public long Now => _clock.GetTimestamp();

    public int Count
    {
        get { lock (_lock) return _uploads.Count; }
    }

    /// <summary>Takes hold of an upload, new or known. Whoever holds it already is a leftover and has to let go first.</summary>
    public async ValueTask<UploadHold> EnterAsync(UploadResourceName name, CancellationToken cancellationToken)
    {
        while (true)
        {
            UploadHold? holder;
            Upload? evicted = null;
            UploadHold? hold = null;
            lock (_lock)
            {
                if (!_uploads.TryGetValue(name, out var upload))
                {
                    if (_uploads.Count >= _options.UploadsMax)
                    {
                        evicted = EvictLongestIdle()
                            ?? throw RpcErrors.Exhausted($"{_options.UploadsMax} uploads are running already");
                    }

                    _uploads[name] = upload = new Upload(this, name, name.Blob.Compressor == Compressor.Identity ? _identity : _zstd);
                }

                holder = upload.Hold;
                if (holder is null)
                {
                    LeaveIdle(upload);
                    upload.Hold = hold = new UploadHold(this, upload, cancellationToken);
                }

                upload.LastHeard = Now;
            }

            if (evicted is not null) await ForgetAsync(evicted);
            if (hold is not null) return hold;

            await holder!.InterruptAsync(StatusCode.Aborted, "the upload goes on in another call"); // without a hold there is a holder
            await holder.Released.WaitAsync(cancellationToken);
        }
    }

    /// <summary>For a client that asks how far it has come: it is about to go on from there, so of the idle ones this is the last to go.</summary>
    public Upload? Find(UploadResourceName name)
    {
        lock (_lock)
        {
            if (!_uploads.TryGetValue(name, out var upload) || upload.IdlePlace is not { } place) return upload;

            upload.LastHeard = Now;
            _idle.Remove(place);
            _idle.AddLast(place);
            return upload;
        }
    }

    /// <summary>Its call has let go of it.</summary>
    /// <param name="isKept">Its client may come back.</param>
    public async ValueTask ReleaseAsync(Upload upload, bool isKept)
    {
        Upload? evicted = null;
        lock (_lock)
        {
            upload.Hold = null;
            upload.LastHeard = Now;
            if (isKept) upload.IdlePlace = _idle.AddLast(upload);
            else _uploads.Remove(upload.Name);
            if (_idle.Count > _options.IdleUploadsMax) evicted = EvictLongestIdle();
        }

        if (evicted is not null) await ForgetAsync(evicted);
    }

    public async ValueTask DisposeAsync()
    {
        _sweeps.Dispose();
        await _sweeping;
        foreach (var hold in Holds(_ => true))
        {
            await hold.InterruptAsync(StatusCode.Unavailable, "the server is shutting down");
            await hold.Released;
        }

        foreach (var upload in Take(_ => true)) await ForgetAsync(upload);
        _decoders.Dispose();
    }

    /// <summary>Many uploads depend on this loop: none of them ends it.</summary>
    private async Task SweepAsync()
    {
        while (await _sweeps.WaitForNextTickAsync())
        {
            foreach (var upload in Take(upload => _clock.GetElapsedTime(upload.LastHeard) >= _options.UploadIdleMax))
                await ForgetAsync(upload);
            foreach (var hold in Holds(upload => _clock.GetElapsedTime(upload.LastHeard) >= _options.UploadSilenceMax))
            {
                await ServingLoop.ServeAsync(
                    () => hold.InterruptAsync(StatusCode.DeadlineExceeded, $"nothing came for {_options.UploadSilenceMax.TotalSeconds:0} s"), Tell);
            }
        }
    }

    /// <summary>An upload that cannot be given back is nobody else's trouble.</summary>
    private static async ValueTask ForgetAsync(Upload upload) => await ServingLoop.ServeAsync(upload.ForgetAsync, Tell);

    private static void Tell(Exception failure) => Trace.TraceError($"an unfinished upload could not be ended: {failure}");

    /// <summary>Takes uploads that nobody holds out of the table.</summary>
    private List<Upload> Take(Func<Upload, bool> which)
    {
        lock (_lock)
        {
            List<Upload> taken = [.. _idle.Where(which)];
            foreach (var upload in taken)
            {
                LeaveIdle(upload);
                _uploads.Remove(upload.Name);
            }

            return taken;
        }
    }

    private List<UploadHold> Holds(Func<Upload, bool> which)
    {
        lock (_lock) return [.. _uploads.Values.Where(which).Select(upload => upload.Hold).OfType<UploadHold>()];
    }

    /// <summary>Under the lock. Its client, should it come back, begins at 0 as after a restart. Null when all have a call.</summary>
    private Upload? EvictLongestIdle()
    {
        // A crowd that leaves at once is one event, not thousands.
        if (_toldAt is not { } toldAt || _clock.GetElapsedTime(toldAt) >= _options.UploadIdleMax)
        {
            _toldAt = Now;
            Trace.TraceWarning(
                $"too many unfinished uploads, at most {_options.UploadsMax}, of which {_options.IdleUploadsMax} whose clients have left: the longest idle ones are dropped, without any newcomers are refused");
        }

        if (_idle.First?.Value is not { } victim) return null;

        LeaveIdle(victim);
        _uploads.Remove(victim.Name);
        return victim;
    }

    /// <summary>Under the lock.</summary>
    private void LeaveIdle(Upload upload)
    {
        if (upload.IdlePlace is { } place) _idle.Remove(place);
        upload.IdlePlace = null;
    }
}
