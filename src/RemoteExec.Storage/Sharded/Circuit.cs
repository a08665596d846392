namespace RemoteExec.Storage;

/// <summary>
/// Whether a store that failed is asked again.
/// <code>
/// there --failures in a row--> away --pause--> one may ask --answer--> there
///                               ^                   |
///                               +--failure, twice the pause
/// </code>
/// </summary>
internal sealed class Circuit(CircuitOptions options)
{
    private readonly Lock _gate = new();
    private int _failures;
    private TimeSpan _pause;
    private long _awaySince;
    private bool _isAway;
    private bool _isProbed;

    public bool IsAway
    {
        get { lock (_gate) return _isAway; }
    }

    /// <summary>Whether to ask; whoever was let in says how it ended.</summary>
    public bool TryEnter()
    {
        lock (_gate)
        {
            if (!_isAway) return true;
            if (_isProbed || options.Time.GetElapsedTime(_awaySince) < _pause) return false;
            return _isProbed = true;
        }
    }

    public void Succeeded()
    {
        lock (_gate)
        {
            (_failures, _isProbed) = (0, false);
            if (!_isAway) return;
            _isAway = false;
        }

        options.AwayChanged(null);
    }

    public void Failed(string reason)
    {
        lock (_gate)
        {
            _isProbed = false;
            if (_isAway)
            {
                // Whoever was at it when the others failed tells nothing new.
                if (options.Time.GetElapsedTime(_awaySince) < _pause) return;
                (_awaySince, _pause) = (options.Time.GetTimestamp(), _pause * 2 < options.PauseMax ? _pause * 2 : options.PauseMax);
                return;
            }

            if (++_failures < options.FailuresMax) return;
            (_isAway, _awaySince, _pause) = (true, options.Time.GetTimestamp(), options.PauseMin);
        }

        options.AwayChanged(reason);
    }

    /// <summary>Whoever asked gave up before there was an answer.</summary>
    public void Left()
    {
        lock (_gate) _isProbed = false;
    }
}
