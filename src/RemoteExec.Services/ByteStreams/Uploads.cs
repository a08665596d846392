using System.Diagnostics;
using Grpc.Core;
using RemoteExec.Core;
using RemoteExec.Protocol;
using RemoteExec.Storage;

namespace RemoteExec.Services;

/// <summary>
/// The unfinished uploads. Bounded in number and in time: each holds room in the store, most clients that break off never come back,
/// and some stay and say nothing.
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
                    if (_uploads.Count >= _options.UploadsMax) evicted = EvictLongestIdle();
                    _uploads[name] = upload = new Upload(this, name, name.Blob.Compressor == Compressor.Identity ? _identity : _zstd);
                }

                holder = upload.Hold;
                if (holder is null) upload.Hold = hold = new UploadHold(this, upload, cancellationToken);
                upload.LastHeard = Now;
            }

            if (evicted is not null) await ForgetAsync(evicted);
            if (hold is not null) return hold;

            await holder!.InterruptAsync(StatusCode.Aborted, "the upload goes on in another call"); // without a hold there is a holder
            await holder.Released.WaitAsync(cancellationToken);
        }
    }

    public Upload? Find(UploadResourceName name)
    {
        lock (_lock) return _uploads.GetValueOrDefault(name);
    }

    public void Release(Upload upload, bool isKept)
    {
        lock (_lock)
        {
            upload.Hold = null;
            upload.LastHeard = Now;
            if (!isKept) _uploads.Remove(upload.Name);
        }
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
            List<Upload> taken = [.. _uploads.Values.Where(upload => upload.Hold is null && which(upload))];
            foreach (var upload in taken) _uploads.Remove(upload.Name);
            return taken;
        }
    }

    private List<UploadHold> Holds(Func<Upload, bool> which)
    {
        lock (_lock) return [.. _uploads.Values.Where(which).Select(upload => upload.Hold).OfType<UploadHold>()];
    }

    /// <summary>Under the lock.</summary>
    private Upload EvictLongestIdle()
    {
        var victim = _uploads.Values.Where(upload => upload.Hold is null).MinBy(upload => upload.LastHeard)
            ?? throw RpcErrors.Exhausted($"{_options.UploadsMax} uploads are running already");
        _uploads.Remove(victim.Name);
        return victim;
    }
}
