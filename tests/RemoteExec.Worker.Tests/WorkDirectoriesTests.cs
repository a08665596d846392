using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using NUnit.Framework;

namespace RemoteExec.Worker.Tests;

public sealed class WorkDirectoriesTests
{
    [Test]
    public async Task What_an_earlier_process_left_is_removed_and_its_names_are_not_used()
    {
        using var folder = new TemporaryFolder();
        string[] leftovers = ["7", "3", "7.deep-0", "stray"];
        foreach (string name in leftovers) folder.Sub($"work/{name}/root");

        await using (var directories = WorkDirectories.Open(folder.Path, Posix.EffectiveUser, recycles: false, NullLogger.Instance))
        {
            await using var taken = await directories.TakeAsync(default);
            Assert.That(Path.GetFileName(taken.Path), Is.EqualTo("8"));
            Assert.That(Directory.Exists(taken.InputRoot));
        }

        Assert.That(Directory.EnumerateFileSystemEntries(Path.Combine(folder.Path, "work")), Is.Empty);
    }

    [Test] // PATH_MAX is 4095 bytes, of which an input may have 3500
    public async Task A_data_directory_leaves_every_input_its_path_or_is_refused_at_the_start()
    {
        using var folder = new TemporaryFolder();
        string longest = Path.Combine(folder.Path, string.Join('/', Enumerable.Repeat(new string('x', 99), 4)));
        longest = Path.Combine(longest, new string('y', 569 - "/work".Length - longest.Length - 1));

        Assert.That(
            () => WorkDirectories.Open($"{longest}y", Posix.EffectiveUser, recycles: false, NullLogger.Instance),
            Throws.TypeOf<WorkerRefusedException>().With.Message.Contains("more than 569 bytes"));
        Assert.That(Directory.EnumerateFileSystemEntries(folder.Path), Is.Empty);

        await using var directories = WorkDirectories.Open(longest, Posix.EffectiveUser, recycles: false, NullLogger.Instance);
        await using var taken = await directories.TakeAsync(default);
        Directory.CreateDirectory($"{taken.InputRoot}/{string.Join('/', Enumerable.Repeat(new string('z', 99), 34))}");
        File.WriteAllText($"{taken.InputRoot}/{string.Join('/', Enumerable.Repeat(new string('z', 99), 34))}/{new string('z', 100)}", "");
    }

    [Test]
    public async Task What_an_earlier_process_left_is_given_to_no_action()
    {
        using var folder = new TemporaryFolder();
        folder.Sub("work/7/root/inner");
        using var other = new TemporaryFolder();

        Assert.That(await KeptAtTheEndAsync(folder.Path), Is.EqualTo(await KeptAtTheEndAsync(other.Path)), "its processes may outlive it for a moment");
    }

    [TestCase(false)]
    [TestCase(true)]
    public async Task What_may_still_be_entered_is_given_to_no_action(bool mayBeEntered)
    {
        using var folder = new TemporaryFolder();
        using var other = new TemporaryFolder();
        int without = await KeptAtTheEndAsync(other.Path);

        Assert.That(
            await KeptAtTheEndAsync(folder.Path, async directories =>
            {
                var taken = await directories.TakeAsync(default);
                Directory.CreateDirectory($"{taken.InputRoot}/inner");
                taken.MayBeEntered = mayBeEntered;
                return taken;
            }),
            mayBeEntered ? Is.EqualTo(without) : Is.GreaterThan(without));
        Assert.That(Directory.EnumerateFileSystemEntries(Path.Combine(folder.Path, "work")), Is.Empty);
    }

    [Test]
    public async Task When_too_many_directories_wait_to_be_emptied_the_next_action_waits_too()
    {
        using var folder = new TemporaryFolder();
        using var log = new BlockingLogger();
        await using var directories = WorkDirectories.Open(folder.Path, Posix.EffectiveUser, recycles: true, log);

        // What is not there cannot be emptied, and the housekeeper is kept waiting where it says so.
        var gone = await directories.TakeAsync(default);
        Directory.Delete(gone.Path, recursive: true);
        await gone.DisposeAsync();
        await log.Entered;

        var given = new List<Task>();
        var taking = directories.TakeAsync(default).AsTask();
        while (taking.IsCompleted && given.Count < 1000)
        {
            given.Add((await taking).DisposeAsync().AsTask());
            taking = directories.TakeAsync(default).AsTask();
        }
        log.Release();

        Assert.That(given, Has.Count.InRange(32, 64));
        await Task.WhenAll(given);
        await (await taking).DisposeAsync();
    }

    [Test]
    public async Task What_nobody_thought_of_keeps_no_other_directory_from_being_made_and_emptied()
    {
        using var folder = new TemporaryFolder();
        await using (var directories = WorkDirectories.Open(folder.Path, Posix.EffectiveUser, recycles: true, new ThrowingLogger()))
        {
            var gone = await directories.TakeAsync(default);
            Directory.Delete(gone.Path, recursive: true);
            await gone.DisposeAsync();

            // More than may wait: somebody must still be taking them.
            for (int i = 0; i < 200; i++) await (await directories.TakeAsync(default)).DisposeAsync();
        }

        Assert.That(Directory.EnumerateFileSystemEntries(Path.Combine(folder.Path, "work")), Is.Empty);
    }

    [Test]
    public void A_removal_that_is_given_up_can_be_taken_up_again()
    {
        using var folder = new TemporaryFolder();
        folder.Sub("tree/inner");
        var name = FileName.From("tree");

        Assert.That(
            () => TreeRemover.Remove(folder.Path, name, stock: null, new CancellationToken(canceled: true)),
            Throws.InstanceOf<OperationCanceledException>());
        Assert.That(Directory.Exists(Path.Combine(folder.Path, "tree/inner")));

        TreeRemover.Remove(folder.Path, name, stock: null, CancellationToken.None);
        Assert.That(Directory.EnumerateFileSystemEntries(folder.Path), Is.Empty);
    }

    /// <summary>How many directories came back by the end; an action, if there is one, ends before.</summary>
    private static async Task<int> KeptAtTheEndAsync(string folder, Func<WorkDirectories, Task<WorkDirectory>>? action = null)
    {
        var directories = WorkDirectories.Open(folder, Posix.EffectiveUser, recycles: true, NullLogger.Instance);
        if (action is not null) await (await action(directories)).DisposeAsync();
        await directories.DisposeAsync();
        return directories.Stock.Kept;
    }

    private sealed class ThrowingLogger : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            throw new NotSupportedException("nobody thought of this");
    }

    /// <summary>Whoever logs first waits until it is released.</summary>
    private sealed class BlockingLogger : ILogger, IDisposable
    {
        private readonly TaskCompletionSource _entered = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly ManualResetEventSlim _released = new();

        public Task Entered => _entered.Task;

        public void Release() => _released.Set();

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            _entered.TrySetResult();
            _released.Wait();
        }

        public void Dispose()
        {
            _released.Set();
            _released.Dispose();
        }
    }
}
