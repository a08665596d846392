using Build.Bazel.Remote.Execution.V2;
using Google.LongRunning;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using NUnit.Framework;
using RemoteExec.Protocol;
using Value = Build.Bazel.Remote.Execution.V2.ExecutionStage.Types.Value;

namespace RemoteExec.Services.Tests;

/// <summary>What an action must be before it is queued, and what its client is told when it is not.</summary>
internal sealed class AdmissionTests : ExecutionFixture
{
    [Test] // REAPI E1, E2: one answer for everything that is missing
    public async Task All_missing_blobs_are_named_at_once()
    {
        Digest absentFile = DigestOf("file"), deepFile = DigestOf("deep");
        var absentChild = new WireDirectory { Files = { new FileNode { Name = "x", Digest = absentFile.ToWire() } } };
        var presentChild = new WireDirectory { Files = { new FileNode { Name = "y", Digest = deepFile.ToWire() } } };
        var root = new WireDirectory
        {
            Files = { new FileNode { Name = "f", Digest = absentFile.ToWire() } },
            Directories =
            {
                new DirectoryNode { Name = "a", Digest = DigestOf(absentChild).ToWire() },
                new DirectoryNode { Name = "b", Digest = (await StoreAsync(presentChild)).ToWire() },
            },
        };
        var command = new WireCommand { Arguments = { "true" } };
        var action = await StoreAsync(new WireAction { CommandDigest = DigestOf(command).ToWire(), InputRootDigest = (await StoreAsync(root)).ToWire() });

        var refusal = await RefusalOf(action);

        Assert.That(refusal.StatusCode, Is.EqualTo(StatusCode.FailedPrecondition));
        Assert.That(
            MissingSubjects(refusal),
            Is.EquivalentTo(new[] { DigestOf(command), DigestOf(absentChild), absentFile, deepFile }.Select(digest => $"MISSING blobs/{digest}")));
    }

    [TestCase("action", "the action")]
    [TestCase("command", "the command")]
    [TestCase("root", "the input root")]
    [TestCase("directory", "the input directory a/b")]
    [TestCase("file", "the input file a/b/f.c")]
    public async Task F22_the_words_name_the_first_blob_that_is_missing_and_what_to_do(string lost, string role)
    {
        async Task<Digest> MakeAsync(string what, IMessage message) => what == lost ? DigestOf(message) : await StoreAsync(message);
        var file = lost == "file" ? DigestOf("f") : await StoreAsync("f");
        var inner = new WireDirectory { Files = { new FileNode { Name = "f.c", Digest = file.ToWire() } } };
        var outer = new WireDirectory { Directories = { new DirectoryNode { Name = "b", Digest = (await MakeAsync("directory", inner)).ToWire() } } };
        var root = new WireDirectory { Directories = { new DirectoryNode { Name = "a", Digest = (await StoreAsync(outer)).ToWire() } } };
        var action = new WireAction
        {
            CommandDigest = (await MakeAsync("command", new WireCommand { Arguments = { "true" } })).ToWire(),
            InputRootDigest = (await MakeAsync("root", root)).ToWire(),
        };

        var refusal = await RefusalOf(await MakeAsync("action", action));

        Assert.That(refusal.Status.Detail, Does.StartWith($"1 blob is missing: {role}, ").And.Contains("upload").And.Contains("buck2 kill"));
        Assert.That(refusal.Status.Detail, Does.Contain(MissingSubjects(refusal).Single()["MISSING blobs/".Length..]));
    }

    [Test] // REAPI E2
    public async Task An_absent_action_is_named_missing()
    {
        var absent = DigestOf("no action");

        Assert.That(MissingSubjects(await RefusalOf(absent)), Is.EqualTo(new[] { $"MISSING blobs/{absent}" }));
    }

    [Test] // REAPI E2: Java clients refuse headers above 8 KiB, so a long list travels in a message
    public async Task A_thousand_missing_blobs_are_all_named_in_the_response()
    {
        var root = new WireDirectory();
        for (int i = 0; i < 1000; i++) root.Files.Add(new FileNode { Name = $"f{i:0000}", Digest = DigestOf($"absent {i}").ToWire() });
        var rootDigest = await StoreAsync(root);
        using var call = Execute(await StoreActionAsync(action => action.InputRootDigest = rootDigest.ToWire()));

        var done = await NextAsync(call);

        Assert.That(done.Done);
        Assert.That((StatusCode)ResponseOf(done).Status.Code, Is.EqualTo(StatusCode.FailedPrecondition));
        Assert.That(MissingSubjects(ResponseOf(done).Status), Has.Count.EqualTo(1000));
    }

    [TestCase(1)]
    [TestCase(40)]
    [TestCase(65)]
    [TestCase(70)]
    [TestCase(500)]
    [TestCase(5_000)]
    [TestCase(50_000)] // all of them would be a message of 4,300,403 bytes: refused by its client, which can then never upload
    public async Task F01_however_many_inputs_are_missing_a_client_of_usual_limits_can_bring_them_all(int count)
    {
        var contents = Enumerable.Range(0, count).Select(number => $"input {number}").ToDictionary(DigestOf);
        var root = new WireDirectory();
        foreach (var (digest, number) in contents.Keys.Select((digest, number) => (digest, number)))
            root.Files.Add(new FileNode { Name = $"f{number:00000}", Digest = digest.ToWire() });
        var rootDigest = await StoreAsync(root);
        var action = await StoreActionAsync(action => action.InputRootDigest = rootDigest.ToWire());

        for (int round = 1; ; round++)
        {
            using var call = Execute(action);
            var named = await NamedMissingAsync(call);
            if (named is null) break;

            // Sets: NUnit's constraints compare each with each.
            var subjects = named.ToHashSet();
            Assert.That(subjects, Has.Count.EqualTo(named.Count).And.Not.Empty, "each is named once");
            var brought = contents.Where(input => subjects.Contains($"MISSING blobs/{input.Key}")).ToList();
            Assert.That(brought, Has.Count.EqualTo(subjects.Count), "and is one that is missing");
            foreach (var (digest, content) in brought)
            {
                await StoreAsync(content);
                contents.Remove(digest);
            }

            Assert.That(round, Is.LessThanOrEqualTo(2), "each answer costs the client a round of uploads");
        }

        Assert.That(contents, Is.Empty);
    }

    /// <summary>Null when the action was queued. A usual client takes 8,192 bytes of trailers and messages of 4 MiB.</summary>
    private async Task<IReadOnlyList<string>?> NamedMissingAsync(AsyncServerStreamingCall<Operation> call)
    {
        try
        {
            var operation = await NextAsync(call);
            Assert.That(operation.CalculateSize(), Is.LessThanOrEqualTo(4 << 20));
            return operation.Done ? MissingSubjects(ResponseOf(operation).Status) : null;
        }
        catch (RpcException refusal)
        {
            Assert.That(SizeOf(refusal), Is.LessThanOrEqualTo(8192));
            return MissingSubjects(refusal);
        }
    }

    [Test] // the second look at a tree must not overlook what went missing in the first
    public async Task After_the_upload_the_same_action_is_queued()
    {
        var root = new WireDirectory { Files = { new FileNode { Name = "f", Digest = DigestOf("late").ToWire() } } };
        var rootDigest = await StoreAsync(root);
        var action = await StoreActionAsync(action => action.InputRootDigest = rootDigest.ToWire());
        Assert.That((await RefusalOf(action)).StatusCode, Is.EqualTo(StatusCode.FailedPrecondition));

        await StoreAsync("late");
        using var call = Execute(action);

        Assert.That(StageOf(await NextAsync(call)), Is.EqualTo(Value.Queued));
    }

    private static IEnumerable<TestCaseData> BadActions()
    {
        TestCaseData Case(string name, Action<WireAction> change) => new TestCaseData(change).SetArgDisplayNames(name);
        yield return Case("no command", action => action.CommandDigest = null);
        yield return Case("no input root", action => action.InputRootDigest = null);
        yield return Case("mixed functions", action => action.InputRootDigest = Digest.Empty(DigestFunction.Md5).ToWire());
        yield return Case("negative timeout", action => action.Timeout = new Duration { Seconds = -1 });
        yield return Case("timeout above the maximum", action => action.Timeout = new Duration { Seconds = 86_401 });
        yield return Case("timeout that is no duration", action => action.Timeout = new Duration { Seconds = long.MaxValue });
        yield return Case("timeout with too many nanoseconds", action => action.Timeout = new Duration { Nanos = int.MaxValue });
        yield return Case("platform property without a name", action => action.Platform = new Build.Bazel.Remote.Execution.V2.Platform
        {
            Properties = { new Build.Bazel.Remote.Execution.V2.Platform.Types.Property { Value = "x" } },
        });
    }

    [TestCaseSource(nameof(BadActions))] // REAPI E3, X1, D5
    public async Task A_bad_action_is_INVALID_ARGUMENT_and_not_queued(Action<WireAction> change)
    {
        Assert.That((await RefusalOf(await StoreActionAsync(change))).StatusCode, Is.EqualTo(StatusCode.InvalidArgument));
        Assert.That(Scheduler.List(), Is.Empty);
    }

    private static IEnumerable<TestCaseData> BadCommands()
    {
        TestCaseData Case(string name, Action<WireCommand> change) => new TestCaseData(change).SetArgDisplayNames(name);
        yield return Case("no arguments", command => command.Arguments.Clear());
        yield return Case("absolute output", command => command.OutputPaths.Add("/etc/passwd"));
        yield return Case("climbing output", command => command.OutputPaths.Add("../x"));
        yield return Case("absent working directory", command => command.WorkingDirectory = "nowhere");
        yield return Case("climbing working directory", command => command.WorkingDirectory = "..");
        yield return Case("unknown node property", command => command.OutputNodeProperties.Add("colour"));
    }

    [TestCaseSource(nameof(BadCommands))] // REAPI E3, X2, X4, X13
    public async Task A_bad_command_is_INVALID_ARGUMENT_and_not_queued(Action<WireCommand> change)
    {
        Assert.That((await RefusalOf(await StoreActionAsync(changeCommand: change))).StatusCode, Is.EqualTo(StatusCode.InvalidArgument));
        Assert.That(Scheduler.List(), Is.Empty);
    }

    private static IEnumerable<TestCaseData> BadDirectories()
    {
        var digest = DigestOf("").ToWire();
        TestCaseData Case(string name, WireDirectory directory) => new TestCaseData(directory).SetArgDisplayNames(name);
        yield return Case("unsorted", new WireDirectory { Files = { new FileNode { Name = "b", Digest = digest }, new FileNode { Name = "a", Digest = digest } } });
        yield return Case("slash in a name", new WireDirectory { Files = { new FileNode { Name = "a/b", Digest = digest } } });
        yield return Case("dots", new WireDirectory { Directories = { new DirectoryNode { Name = "..", Digest = digest } } });
        yield return Case("absolute link", new WireDirectory { Symlinks = { new SymlinkNode { Name = "l", Target = "/etc" } } });
        yield return Case("child without digest", new WireDirectory { Directories = { new DirectoryNode { Name = "d" } } });
    }

    [TestCaseSource(nameof(BadDirectories))] // REAPI E3, X12, TRUST 4.1
    public async Task A_bad_input_tree_is_INVALID_ARGUMENT_and_not_queued(WireDirectory directory)
    {
        var root = await StoreAsync(directory);

        Assert.That(
            (await RefusalOf(await StoreActionAsync(action => action.InputRootDigest = root.ToWire()))).StatusCode,
            Is.EqualTo(StatusCode.InvalidArgument));
        Assert.That(Scheduler.List(), Is.Empty);
    }

    [Test] // TRUST 4.1
    public async Task A_blob_that_is_no_action_is_INVALID_ARGUMENT()
    {
        Assert.That((await RefusalOf(await StoreAsync("\u0003 no protobuf"))).StatusCode, Is.EqualTo(StatusCode.InvalidArgument));
        var huge = Digest.FromHash(DigestFunction.Sha256, new byte[32], 1L << 30);
        Assert.That((await RefusalOf(huge)).StatusCode, Is.EqualTo(StatusCode.InvalidArgument));
    }

    [Test] // REAPI G3, X14
    public async Task Unknown_fields_of_a_newer_client_are_no_error()
    {
        var action = new WireAction { CommandDigest = (await StoreAsync(new WireCommand { Arguments = { "true" } })).ToWire(), InputRootDigest = Digest.Empty(DigestFunction.Sha256).ToWire() };
        byte[] withUnknown = [.. action.ToByteArray(), 0xA2, 0x06, 0x01, 0x07]; // field 100, one byte
        var digest = await Storage.BlobStoreExtensions.WriteAllAsync(Store, DigestFunction.Sha256, withUnknown, Soon);
        using var call = Execute(digest);

        Assert.That(StageOf(await NextAsync(call)), Is.EqualTo(Value.Queued));
    }

    [Test] // REAPI X15
    public async Task The_commands_platform_counts_when_the_action_has_none()
    {
#pragma warning disable CS0612 // Old clients fill only this one.
        var action = await StoreActionAsync(changeCommand: command => command.Platform = new Build.Bazel.Remote.Execution.V2.Platform
        {
            Properties = { new Build.Bazel.Remote.Execution.V2.Platform.Types.Property { Name = "OSFamily", Value = "linux" } },
        });
#pragma warning restore CS0612
        using var call = Execute(action);
        await NextAsync(call);

        Assert.That(Scheduler.List().Single().Request.Platform.ToString(), Is.EqualTo("OSFamily=linux"));
    }

    [Test] // TRUST 4.1, H7: 2^40 paths with 40 nodes
    public async Task A_tree_of_too_many_paths_is_RESOURCE_EXHAUSTED()
    {
        var directory = new WireDirectory { Symlinks = { new SymlinkNode { Name = "l", Target = "t" } } };
        for (int i = 0; i < 40; i++)
        {
            var child = (await StoreAsync(directory)).ToWire();
            directory = new WireDirectory { Directories = { new DirectoryNode { Name = "a", Digest = child }, new DirectoryNode { Name = "b", Digest = child } } };
        }

        var root = await StoreAsync(directory);

        Assert.That(
            (await RefusalOf(await StoreActionAsync(action => action.InputRootDigest = root.ToWire()))).StatusCode,
            Is.EqualTo(StatusCode.ResourceExhausted));
    }

    [Test] // TRUST 4.1, H7
    public async Task A_tree_that_is_too_deep_is_RESOURCE_EXHAUSTED()
    {
        await RestartAsync(new ServicesOptions { Limits = new Limits { Tree = new TreeLimits { DepthMax = 10 } } });
        var directory = new WireDirectory { Symlinks = { new SymlinkNode { Name = "l", Target = "t" } } };
        var roots = new List<Digest>();
        for (int i = 0; i < 11; i++)
        {
            roots.Add(await StoreAsync(directory));
            directory = new WireDirectory { Directories = { new DirectoryNode { Name = "a", Digest = roots[^1].ToWire() } } };
        }

        using var call = Execute(await StoreActionAsync(action => action.InputRootDigest = roots[9].ToWire()));
        Assert.That(StageOf(await NextAsync(call)), Is.EqualTo(Value.Queued));
        Assert.That(
            (await RefusalOf(await StoreActionAsync(action => action.InputRootDigest = roots[10].ToWire()))).StatusCode,
            Is.EqualTo(StatusCode.ResourceExhausted));
    }

    [Test] // a file system counts bytes: these paths have 1,461 characters and 4,351 bytes
    public async Task A_tree_with_a_path_that_no_worker_can_make_is_INVALID_ARGUMENT_and_not_queued()
    {
        string name = new('字', 85);
        var directory = new WireDirectory();
        for (int i = 0; i < 17; i++)
            directory = new WireDirectory { Directories = { new DirectoryNode { Name = name, Digest = (await StoreAsync(directory)).ToWire() } } };
        var root = await StoreAsync(directory);

        var refusal = await RefusalOf(await StoreActionAsync(action => action.InputRootDigest = root.ToWire()));

        Assert.That(refusal.StatusCode, Is.EqualTo(StatusCode.InvalidArgument));
        Assert.That(refusal.Status.Detail, Does.Contain("a path of more than 3500 cannot be made"));
        Assert.That(Scheduler.List(), Is.Empty);
    }

    [Test]
    public async Task An_output_whose_path_no_worker_can_make_is_INVALID_ARGUMENT_and_not_queued()
    {
        string path = string.Join('/', Enumerable.Repeat(new string('字', 85), 14));

        var refusal = await RefusalOf(await StoreActionAsync(changeCommand: command => command.OutputPaths.Add(path)));

        Assert.That(refusal.StatusCode, Is.EqualTo(StatusCode.InvalidArgument));
        Assert.That(Scheduler.List(), Is.Empty);
    }

    [Test] // a client that would be refused anyhow uploads nothing first
    public async Task A_tree_beyond_the_limits_is_refused_before_its_missing_files_are_asked_for()
    {
        var directory = new WireDirectory { Files = { new FileNode { Name = "absent", Digest = DigestOf("absent").ToWire() } } };
        for (int i = 0; i < 40; i++)
        {
            var child = (await StoreAsync(directory)).ToWire();
            directory = new WireDirectory { Directories = { new DirectoryNode { Name = "a", Digest = child }, new DirectoryNode { Name = "b", Digest = child } } };
        }

        var root = await StoreAsync(directory);

        Assert.That(
            (await RefusalOf(await StoreActionAsync(action => action.InputRootDigest = root.ToWire()))).StatusCode,
            Is.EqualTo(StatusCode.ResourceExhausted));
    }

    [Test] // REAPI X4
    public async Task A_working_directory_in_the_tree_is_accepted()
    {
        var child = await StoreAsync(new WireDirectory { Symlinks = { new SymlinkNode { Name = "l", Target = "t" } } });
        var root = await StoreAsync(new WireDirectory { Directories = { new DirectoryNode { Name = "sub", Digest = child.ToWire() } } });
        using var call = Execute(await StoreActionAsync(
            action => action.InputRootDigest = root.ToWire(),
            command => { command.WorkingDirectory = "sub"; command.OutputPaths.Add("../beside"); }));

        Assert.That(StageOf(await NextAsync(call)), Is.EqualTo(Value.Queued));
    }
}
