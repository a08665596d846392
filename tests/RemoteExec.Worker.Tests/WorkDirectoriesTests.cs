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

        await using (var directories = WorkDirectories.Open(folder.Path, Posix.EffectiveUser, NullLogger.Instance))
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
            () => WorkDirectories.Open($"{longest}y", Posix.EffectiveUser, NullLogger.Instance),
            Throws.TypeOf<WorkerRefusedException>().With.Message.Contains("more than 569 bytes"));
        Assert.That(Directory.EnumerateFileSystemEntries(folder.Path), Is.Empty);

        await using var directories = WorkDirectories.Open(longest, Posix.EffectiveUser, NullLogger.Instance);
        await using var taken = await directories.TakeAsync(default);
        Directory.CreateDirectory($"{taken.InputRoot}/{string.Join('/', Enumerable.Repeat(new string('z', 99), 34))}");
        File.WriteAllText($"{taken.InputRoot}/{string.Join('/', Enumerable.Repeat(new string('z', 99), 34))}/{new string('z', 100)}", "");
    }

    [Test]
    public async Task What_one_action_had_is_given_to_no_other()
    {
        using var folder = new TemporaryFolder();
        await using (var directories = WorkDirectories.Open(folder.Path, Posix.EffectiveUser, NullLogger.Instance))
        {
            var paths = new HashSet<string>();
            for (int i = 0; i < 20; i++)
            {
                await using var taken = await directories.TakeAsync(default);
                Assert.That(paths.Add(taken.Path), Is.True);
                Assert.That(Directory.EnumerateFileSystemEntries(taken.InputRoot), Is.Empty);
                File.WriteAllText($"{taken.InputRoot}/left", "");
            }
        }

        Assert.That(Directory.EnumerateFileSystemEntries(Path.Combine(folder.Path, "work")), Is.Empty);
    }

    [Test]
    public async Task When_too_many_directories_wait_to_be_removed_the_next_action_waits_too()
    {
        using var folder = new TemporaryFolder();
        using var log = new BlockingLogger();
        await using var directories = WorkDirectories.Open(folder.Path, Posix.EffectiveUser, log);

        // The housekeeper is kept waiting where it says what it cannot remove.
        var kept = await directories.TakeAsync(default);
        KeepFromRemoval(kept);
        await kept.DisposeAsync();
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
    public async Task What_nobody_thought_of_keeps_no_other_directory_from_being_made_and_removed()
    {
        using var folder = new TemporaryFolder();
        string kept;
        await using (var directories = WorkDirectories.Open(folder.Path, Posix.EffectiveUser, new ThrowingLogger()))
        {
            var taken = await directories.TakeAsync(default);
            kept = taken.Path;
            KeepFromRemoval(taken);
            await taken.DisposeAsync();

            // More than may wait: somebody must still be taking them.
            for (int i = 0; i < 200; i++) await (await directories.TakeAsync(default)).DisposeAsync();
        }

        Assert.That(Directory.EnumerateFileSystemEntries(Path.Combine(folder.Path, "work")), Is.EquivalentTo(new[] { kept, $"{kept}.deep-0" }));
    }

    [Test]
    public void A_removal_that_is_given_up_can_be_taken_up_again()
    {
        using var folder = new TemporaryFolder();
        folder.Sub("tree/inner");
        var name = FileName.From("tree");

        Assert.That(
            () => TreeRemover.Remove(folder.Path, name, new CancellationToken(canceled: true)),
            Throws.InstanceOf<OperationCanceledException>());
        Assert.That(Directory.Exists(Path.Combine(folder.Path, "tree/inner")));

        TreeRemover.Remove(folder.Path, name, CancellationToken.None);
        Assert.That(Directory.EnumerateFileSystemEntries(folder.Path), Is.Empty);
    }

    /// <summary>What is too deep is first moved up, where something is in its place.</summary>
    private static void KeepFromRemoval(WorkDirectory directory)
    {
        Directory.CreateDirectory($"{directory.InputRoot}/{string.Join('/', Enumerable.Repeat("d", 70))}");
        Directory.CreateDirectory($"{directory.Path}.deep-0/in-its-place");
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
