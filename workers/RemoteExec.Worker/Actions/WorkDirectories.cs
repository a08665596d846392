using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using RemoteExec.Core;
using RemoteExec.Protocol;

namespace RemoteExec.Worker;

/// <summary>
/// The directories in which actions run. They are made ahead of the next action and removed behind the back of the
/// last one. An action may leave a million files, so neither a start nor an end waits for such a removal: what one
/// process does not get done, the next one does.
/// </summary>
internal sealed partial class WorkDirectories : IAsyncDisposable
{
    // Removal lags behind under load; beyond this the next action waits for it rather than filling the disk.
    private const int OrdersMax = 64;

    // As many as start within the time that one takes to make.
    private const int ReadyMin = 4;

    // Enough for what ordinary actions leave; the rest is for the next start.
    private static readonly TimeSpan RemovalAtEndMax = TimeSpan.FromSeconds(2);

    // What an input's own path, as long as the coordinator admits it, leaves of PATH_MAX; between the two stand a number and the root's name.
    private static readonly int ParentBytesMax = ActionPath.BytesMax - ActionPath.ResolvedBytesMax - $"/{long.MaxValue}/{WorkDirectory.InputRootName}/".Length;

    private static readonly FileName InputRootName = FileName.From(WorkDirectory.InputRootName);

    private readonly string _parent;
    private readonly uint _owner;
    private readonly ILogger _log;
    private readonly ConcurrentQueue<WorkDirectory> _ready = new();
    private readonly Channel<WorkDirectory?> _orders =
        Channel.CreateBounded<WorkDirectory?>(new BoundedChannelOptions(OrdersMax) { SingleReader = true });
    private readonly CancellationTokenSource _end = new();
    private readonly Task _housekeeper;
    private readonly Task _removalOfLeftovers;
    private int _makesOrdered;
    private long _made;

    private WorkDirectories(string parent, long made, uint owner, List<FileName> leftovers, ILogger log)
    {
        _parent = parent;
        _made = made;
        _owner = owner;
        _log = log;
        _makesOrdered = ReadyMin;
        for (int i = 0; i < ReadyMin; i++) MakeAhead();
        _housekeeper = Task.Run(KeepHouseAsync);
        _removalOfLeftovers = Task.Run(() => leftovers.ForEach(Remove));
    }

    /// <summary>Opens <c>work/</c> under the data directory, and begins to remove what an earlier process left there.</summary>
    /// <param name="owner">To whom input roots belong: the user that actions run as.</param>
    /// <exception cref="WorkerRefusedException">Its path is too long.</exception>
    public static WorkDirectories Open(string dataDirectory, uint owner, ILogger log)
    {
        string parent = Path.Combine(Path.GetFullPath(dataDirectory), "work");
        if (Encoding.UTF8.GetByteCount(parent) > ParentBytesMax)
            throw new WorkerRefusedException($"the path of the work directories, {Printable.Quote(parent)}, has more than {ParentBytesMax} bytes: inputs with long paths could not be made below it. Choose a data directory with a shorter path");
        Directory.CreateDirectory(dataDirectory);
        // Nobody but us may look in from outside: inputs are linked there, and outputs are not checked yet.
        if (!Directory.Exists(parent)) Make(parent, Permissions.Octal0700);
        List<FileName> leftovers;
        using (var directory = DirectoryHandle.Open(parent))
            leftovers = directory.ReadNames(int.MaxValue);

        // No name is used before it is free.
        long made = leftovers.Select(NumberOf).DefaultIfEmpty().Max();
        return new WorkDirectories(parent, made, owner, leftovers, log);
    }

    /// <summary>An empty directory with the input root in it, when not too many wait to be removed.</summary>
    public async ValueTask<WorkDirectory> TakeAsync(CancellationToken cancellationToken)
    {
        await _orders.Writer.WaitToWriteAsync(cancellationToken);
        bool isReady = _ready.TryDequeue(out var directory);
        // Not one order for each action: behind a long removal they would keep out those that give directories back.
        if (_ready.Count + Volatile.Read(ref _makesOrdered) < ReadyMin)
        {
            Interlocked.Increment(ref _makesOrdered);
            if (!_orders.Writer.TryWrite(null)) Interlocked.Decrement(ref _makesOrdered);
        }
        return isReady ? directory! : Make();
    }

    /// <summary>Waits until everything that was given back is gone, unless that takes too long.</summary>
    public async ValueTask DisposeAsync()
    {
        if (!_orders.Writer.TryComplete()) return;
        _end.CancelAfter(RemovalAtEndMax);
        await _housekeeper;
        await _removalOfLeftovers;
        while (_ready.TryDequeue(out var unused)) Remove(FileName.From(unused.Name));
        _end.Dispose();
    }

    internal ValueTask GiveBackAsync(WorkDirectory directory) => _orders.Writer.WriteAsync(directory);

    private WorkDirectory Make()
    {
        string name = Interlocked.Increment(ref _made).ToString(CultureInfo.InvariantCulture);
        var directory = new WorkDirectory(this, name, $"{_parent}/{name}");
        Make(directory.Path, Permissions.Octal0755);
        using var parent = DirectoryHandle.Open(directory.Path);
        if (!parent.TryMakeDirectory(InputRootName, _owner)) throw DirectoryHandle.Failure("mkdir", directory.InputRoot, Errno.EEXIST);
        return directory;
    }

    private static void Make(string path, uint mode)
    {
        int errno = Posix.MakeDirectory(path, mode);
        if (errno != 0) throw DirectoryHandle.Failure("mkdir", path, errno);
    }

    private async Task KeepHouseAsync()
    {
        await foreach (var order in _orders.Reader.ReadAllAsync())
        {
            if (order is null) MakeAhead();
            else Remove(FileName.From(order.Name));
        }
    }

    // Each of these serves all actions to come, so nothing that happens in one ends the housekeeper.
    private void MakeAhead()
    {
        Interlocked.Decrement(ref _makesOrdered);
        // An action that finds none ready makes its own, and fails with the reason if it still stands.
        ServingLoop.Serve(() => _ready.Enqueue(Make()), failure => LogNotMade(failure.Message));
    }

    // "12", or "12.deep-3" where a removal was given up.
    private static long NumberOf(FileName name)
    {
        var digits = name.ToString().AsSpan();
        int end = digits.IndexOfAnyExceptInRange('0', '9');
        return long.TryParse(end < 0 ? digits : digits[..end], NumberStyles.None, CultureInfo.InvariantCulture, out long number) ? number : 0;
    }

    // What fails is tried again at the next start; until then it only takes space.
    private void Remove(FileName name) => ServingLoop.Serve(
        () => TreeRemover.Remove(_parent, name, _end.Token), failure => LogNotRemoved(name.ToString(), failure.Message));

    [LoggerMessage(EventId = 10, EventName = "work_directory_not_removed", Level = LogLevel.Warning, Message = "work directory {Name} not removed: {Reason}")]
    private partial void LogNotRemoved(string name, string reason);

    [LoggerMessage(EventId = 11, EventName = "work_directory_not_made", Level = LogLevel.Warning, Message = "no work directory made ahead: {Reason}")]
    private partial void LogNotMade(string reason);
}
