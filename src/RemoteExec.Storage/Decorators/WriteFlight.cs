using RemoteExec.Core;

namespace RemoteExec.Storage;

/// <summary>The writers of one digest, one of whom leads.</summary>
internal sealed class WriteFlight(Digest digest, TimeProvider time)
{
    private readonly Lock _gate = new();
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private bool _isLed;
    private long _lastProgress = time.GetTimestamp();

    public Digest Digest { get; } = digest;

    /// <summary>Guarded by the store.</summary>
    public int Writers { get; set; }

    public bool IsCommitted { get; private set; }

    /// <summary>True for the one who may write.</summary>
    public bool TryLead()
    {
        lock (_gate)
        {
            if (_isLed || IsCommitted) return false;
            StartLeading();
            return true;
        }
    }

    /// <summary>The leader's sign of life.</summary>
    public void Progress() => Volatile.Write(ref _lastProgress, time.GetTimestamp());

    public void Commit()
    {
        lock (_gate)
        {
            IsCommitted = true;
            Wake();
        }
    }

    /// <summary>The leader gives up; the next one who wakes up leads.</summary>
    public void Fail()
    {
        lock (_gate)
        {
            _isLed = false;
            Wake();
        }
    }

    /// <summary>True when the caller shall write, false when the blob is there.</summary>
    public async ValueTask<bool> WaitForTurnAsync(TimeSpan stallMax, CancellationToken cancellationToken)
    {
        while (true)
        {
            Task changed;
            TimeSpan patience;
            lock (_gate)
            {
                if (IsCommitted) return false;

                patience = stallMax - time.GetElapsedTime(Volatile.Read(ref _lastProgress));
                if (!_isLed || patience <= TimeSpan.Zero)
                {
                    // A leader that stood still goes on alone; the store keeps whichever is whole first.
                    StartLeading();
                    return true;
                }

                changed = _changed.Task;
            }

            using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            await Task.WhenAny(changed, Task.Delay(patience, time, over.Token));
            await over.CancelAsync();
            cancellationToken.ThrowIfCancellationRequested();
        }
    }

    private void StartLeading()
    {
        _isLed = true;
        Progress();
    }

    private void Wake()
    {
        var woken = _changed;
        _changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        woken.SetResult();
    }
}
