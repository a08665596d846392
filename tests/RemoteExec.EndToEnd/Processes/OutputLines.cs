using System.Text;

namespace RemoteExec.EndToEnd;

/// <summary>
/// The lines that a running program has written so far, and a way to await one that is still to come:
/// the event on which a test acts, where others would sleep and hope.
/// </summary>
internal sealed class OutputLines
{
    private readonly Lock _lock = new();
    private readonly List<string> _lines = [];
    private readonly List<Waiter> _waiters = [];
    private bool _ended;

    public void Add(string line)
    {
        List<Waiter> met;
        lock (_lock)
        {
            _lines.Add(line);
            met = _waiters.FindAll(waiter => waiter.Matches(line) && --waiter.Missing == 0);
            _waiters.RemoveAll(met.Contains);
        }

        met.ForEach(waiter => waiter.Met.TrySetResult(line));
    }

    /// <summary>Nothing more will come: whoever still waits is told so.</summary>
    public void End()
    {
        Waiter[] disappointed;
        lock (_lock)
        {
            _ended = true;
            disappointed = [.. _waiters];
            _waiters.Clear();
        }

        foreach (var waiter in disappointed) waiter.Met.TrySetException(waiter.Disappointment(Tail(60)));
    }

    /// <summary>Completes with the <paramref name="count"/>-th line that matches, past or future.</summary>
    public async Task<string> WaitForAsync(
        string what, Func<string, bool> matches, int count, CancellationToken cancellationToken)
    {
        var waiter = new Waiter(what, matches, count);
        lock (_lock)
        {
            foreach (string line in _lines)
            {
                if (matches(line) && --waiter.Missing == 0) return line;
            }

            if (_ended) throw waiter.Disappointment(TailUnderLock(60));
            _waiters.Add(waiter);
        }

        return await waiter.Met.Task.WaitAsync(cancellationToken);
    }

    public int Count(Func<string, bool> matches)
    {
        lock (_lock) return _lines.Count(matches);
    }

    public string Tail(int lines)
    {
        lock (_lock) return TailUnderLock(lines);
    }

    public override string ToString() => Tail(int.MaxValue);

    private string TailUnderLock(int lines)
    {
        var text = new StringBuilder();
        foreach (string line in _lines.Skip(Math.Max(0, _lines.Count - lines))) text.Append(line).Append('\n');
        return text.ToString();
    }

    private sealed class Waiter(string what, Func<string, bool> matches, int missing)
    {
        public Func<string, bool> Matches { get; } = matches;

        public int Missing { get; set; } = missing;

        // Continuations run elsewhere: Add is called from the loop that reads the program's output.
        public TaskCompletionSource<string> Met { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public InvalidOperationException Disappointment(string tail) =>
            new InvalidOperationException($"the program ended before {what} ({Missing} short); its last lines:\n{tail}");
    }
}
