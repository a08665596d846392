using System.Collections.Concurrent;
using System.Globalization;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;

namespace RemoteExec.Worker;

/// <summary>
/// The directories in which actions run. They are made ahead of the next action and removed behind the back of the
/// last one, since an ext4 directory costs a third of a millisecond each way; whatever an earlier process left is
/// removed at start.
/// </summary>
internal sealed partial class WorkDirectories : IAsyncDisposable
{
    // Removal lags behind under load; beyond this the next action waits for it rather than filling the disk.
    private const int OrdersMax = 64;

    // As many as start within the time that one takes to make.
    private const int ReadyMax = 4;

    private readonly string _parent;
    private readonly uint _owner;
    private readonly ILogger _log;
    private readonly ConcurrentQueue<WorkDirectory> _ready = new();
    private readonly Channel<WorkDirectory?> _orders =
        Channel.CreateBounded<WorkDirectory?>(new BoundedChannelOptions(OrdersMax) { SingleReader = true });
    private readonly Task _housekeeper;
    private long _made;

    private WorkDirectories(string parent, uint owner, ILogger log)
    {
        _parent = parent;
        _owner = owner;
        _log = log;
        _housekeeper = Task.Run(KeepHouseAsync);
    }

    /// <summary>Opens <c>work/</c> under the data directory, and empties it.</summary>
    /// <param name="owner">To whom input roots belong: the user that actions run as.</param>
    public static WorkDirectories Open(string dataDirectory, uint owner, ILogger log)
    {
        string parent = Path.Combine(Path.GetFullPath(dataDirectory), "work");
        Directory.CreateDirectory(dataDirectory);
        // Nobody but us may look in from outside: inputs are linked there, and outputs are not checked yet.
        if (!Directory.Exists(parent)) Make(parent, 0x1C0 /* 0700 */);
        List<FileName> leftovers;
        using (var directory = DirectoryHandle.Open(parent))
            leftovers = directory.ReadNames(int.MaxValue);
        foreach (var name in leftovers)
            TreeRemover.Remove(parent, name);

        var directories = new WorkDirectories(parent, owner, log);
        for (int i = 0; i < ReadyMax; i++)
            directories._ready.Enqueue(directories.Make());
        return directories;
    }

    /// <summary>An empty directory with the input root in it.</summary>
    public WorkDirectory Take()
    {
        bool isReady = _ready.TryDequeue(out var directory);
        // One for the one taken. A full house is busy removing: then the next one is made when it is wanted.
        _orders.Writer.TryWrite(null);
        return isReady ? directory! : Make();
    }

    /// <summary>Waits until everything that was given back is gone.</summary>
    public async ValueTask DisposeAsync()
    {
        _orders.Writer.TryComplete();
        await _housekeeper;
        while (_ready.TryDequeue(out var unused)) Remove(unused);
    }

    internal ValueTask GiveBackAsync(WorkDirectory directory) => _orders.Writer.WriteAsync(directory);

    private WorkDirectory Make()
    {
        string name = Interlocked.Increment(ref _made).ToString(CultureInfo.InvariantCulture);
        var directory = new WorkDirectory(this, name, $"{_parent}/{name}");
        Make(directory.Path, 0x1ED /* 0755 */);
        Make(directory.InputRoot, 0x1ED);
        if (_owner != Libc.EffectiveUser()
            && Libc.ChangeOwner(Libc.AtFdCwd, FileName.From(directory.InputRoot).Terminated, _owner, _owner, Libc.AtSymlinkNoFollow) != 0)
        {
            throw FileSystemException.Last("chown", directory.InputRoot);
        }
        return directory;
    }

    private static void Make(string path, uint mode)
    {
        if (Libc.MakeDirectory(Libc.AtFdCwd, FileName.From(path).Terminated, mode) != 0)
            throw FileSystemException.Last("mkdir", path);
    }

    private async Task KeepHouseAsync()
    {
        await foreach (var order in _orders.Reader.ReadAllAsync())
        {
            if (order is not null) Remove(order);
            else if (_ready.Count < ReadyMax) MakeAhead();
        }
    }

    private void MakeAhead()
    {
        try
        {
            _ready.Enqueue(Make());
        }
        catch (IOException failure)
        {
            // An action that finds none ready makes its own, and fails with the reason if it still stands.
            LogNotMade(failure.Message);
        }
    }

    private void Remove(WorkDirectory directory)
    {
        try
        {
            TreeRemover.Remove(_parent, FileName.From(directory.Name));
        }
        catch (IOException failure)
        {
            // Tried again at the next start; until then it only takes space.
            LogNotRemoved(directory.Name, failure.Message);
        }
    }

    [LoggerMessage(EventId = 10, EventName = "work-directory-not-removed", Level = LogLevel.Warning, Message = "work directory {Name} not removed: {Reason}")]
    private partial void LogNotRemoved(string name, string reason);

    [LoggerMessage(EventId = 11, EventName = "work-directory-not-made", Level = LogLevel.Warning, Message = "no work directory made ahead: {Reason}")]
    private partial void LogNotMade(string reason);
}
