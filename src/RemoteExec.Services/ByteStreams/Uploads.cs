using RemoteExec.Core;
using RemoteExec.Protocol;
using RemoteExec.Storage;

namespace RemoteExec.Services;

/// <summary>
/// The unfinished uploads. Bounded in number and in time: each holds room in the store, and most clients that break off never
/// come back.
/// </summary>
internal sealed class Uploads : IAsyncDisposable
{
    private readonly ServicesOptions _options;
    private readonly TimeProvider _clock;
    private readonly ITimer _sweeper;
    private readonly Lock _lock = new();
    private readonly Dictionary<UploadResourceName, UploadSession> _sessions = [];
    private Task _sweeping = Task.CompletedTask;

    public Uploads(ServicesOptions options, TimeProvider clock)
    {
        _options = options;
        _clock = clock;
        var period = options.UploadIdleMax / 2;
        _sweeper = clock.CreateTimer(_ => Sweep(), null, period, period);
    }

    public int Count
    {
        get { lock (_lock) return _sessions.Count; }
    }

    /// <summary>Takes hold of an upload, new or known. Whoever holds it already is a leftover and has to let go first.</summary>
    public async ValueTask<UploadTurn> EnterAsync(UploadResourceName name, CancellationToken cancellationToken)
    {
        while (true)
        {
            UploadTurn? holder;
            IBlobWriter? evicted = null;
            UploadTurn? turn = null;
            lock (_lock)
            {
                if (!_sessions.TryGetValue(name, out var session))
                {
                    if (_sessions.Count >= _options.UploadsMax) evicted = EvictLongestIdle();
                    _sessions[name] = session = new UploadSession(name);
                }

                holder = session.Holder;
                if (holder is null) session.Holder = turn = new UploadTurn(this, session, cancellationToken);
            }

            if (evicted is not null) await evicted.DisposeAsync();
            if (turn is not null) return turn;

            await holder!.TakeOverAsync(); // without a turn there is a holder
            await holder.Released.WaitAsync(cancellationToken);
        }
    }

    public UploadSession? Find(UploadResourceName name)
    {
        lock (_lock) return _sessions.GetValueOrDefault(name);
    }

    public async ValueTask LeaveAsync(UploadTurn turn)
    {
        var session = turn.Session;
        IBlobWriter? abandoned = null;
        lock (_lock)
        {
            session.Holder = null;
            session.IdleSince = _clock.GetTimestamp();
            // Without a byte there is nothing to come back to, and the writer holds room for a whole blob.
            bool isOver = turn.IsOver || session.Writer is { WrittenBytes: 0 };
            if (isOver) (abandoned, session.Writer) = (session.Writer, null);
            if (isOver) _sessions.Remove(session.Name);
        }

        if (abandoned is not null) await abandoned.DisposeAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _sweeper.DisposeAsync();
        await _sweeping;
        List<UploadSession> sessions;
        lock (_lock)
        {
            sessions = [.. _sessions.Values];
            _sessions.Clear();
        }

        foreach (var session in sessions)
        {
            if (session.Holder is { } holder)
            {
                await holder.TakeOverAsync();
                await holder.Released;
            }

            if (session.Writer is { } writer) await writer.DisposeAsync();
        }
    }

    private void Sweep()
    {
        lock (_lock) _sweeping = SweepAsync(_sweeping);
    }

    private async Task SweepAsync(Task previous)
    {
        await previous;
        await Task.Yield(); // out of the lock that Sweep holds
        List<UploadSession> expired;
        lock (_lock)
        {
            expired = [.. _sessions.Values.Where(session =>
                session.Holder is null && _clock.GetElapsedTime(session.IdleSince) >= _options.UploadIdleMax)];
            foreach (var session in expired) _sessions.Remove(session.Name);
        }

        foreach (var session in expired)
        {
            if (session.Writer is { } writer) await writer.DisposeAsync();
        }
    }

    /// <summary>Under the lock.</summary>
    private IBlobWriter? EvictLongestIdle()
    {
        var victim = _sessions.Values.Where(session => session.Holder is null).MinBy(session => session.IdleSince)
            ?? throw RpcErrors.Exhausted($"{_options.UploadsMax} uploads are running already");
        _sessions.Remove(victim.Name);
        return victim.Writer;
    }
}
