using System.Globalization;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;

namespace RemoteExec.Worker;

/// <summary>
/// The directories in which actions run. They are made here, removed behind the back of the next action, and
/// whatever an earlier process left is removed at start.
/// </summary>
internal sealed partial class WorkDirectories : IAsyncDisposable
{
    // Removal lags behind under load; beyond this the next action waits for it rather than filling the disk.
    private const int RemovalsMax = 64;

    private readonly string _parent;
    private readonly ILogger _log;
    private readonly Channel<string> _removals =
        Channel.CreateBounded<string>(new BoundedChannelOptions(RemovalsMax) { SingleReader = true });
    private readonly Task _remover;
    private long _made;

    private WorkDirectories(string parent, ILogger log)
    {
        _parent = parent;
        _log = log;
        _remover = Task.Run(RemoveAllAsync);
    }

    /// <summary>Opens <c>work/</c> under the data directory, and empties it.</summary>
    public static WorkDirectories Open(string dataDirectory, ILogger log)
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
        return new WorkDirectories(parent, log);
    }

    /// <summary>An empty directory with the input root in it, which belongs to <paramref name="owner"/>.</summary>
    public WorkDirectory Create(uint owner)
    {
        string name = Interlocked.Increment(ref _made).ToString(CultureInfo.InvariantCulture);
        var directory = new WorkDirectory(this, name, $"{_parent}/{name}");
        Make(directory.Path, 0x1ED /* 0755 */);
        Make(directory.InputRoot, 0x1ED);
        if (owner != Libc.EffectiveUser()
            && Libc.ChangeOwner(Libc.AtFdCwd, FileName.From(directory.InputRoot).Terminated, owner, owner, Libc.AtSymlinkNoFollow) != 0)
        {
            throw FileSystemException.Last("chown", directory.InputRoot);
        }
        return directory;
    }

    /// <summary>Waits until everything that was given back is gone.</summary>
    public async ValueTask DisposeAsync()
    {
        _removals.Writer.TryComplete();
        await _remover;
    }

    internal ValueTask GiveBackAsync(string name) => _removals.Writer.WriteAsync(name);

    private static void Make(string path, uint mode)
    {
        if (Libc.MakeDirectory(Libc.AtFdCwd, FileName.From(path).Terminated, mode) != 0)
            throw FileSystemException.Last("mkdir", path);
    }

    private async Task RemoveAllAsync()
    {
        await foreach (string name in _removals.Reader.ReadAllAsync())
        {
            try
            {
                TreeRemover.Remove(_parent, FileName.From(name));
            }
            catch (IOException failure)
            {
                // Tried again at the next start; until then it only takes space.
                LogNotRemoved(name, failure.Message);
            }
        }
    }

    [LoggerMessage(EventId = 10, EventName = "work-directory-not-removed", Level = LogLevel.Warning, Message = "work directory {Name} not removed: {Reason}")]
    private partial void LogNotRemoved(string name, string reason);
}
