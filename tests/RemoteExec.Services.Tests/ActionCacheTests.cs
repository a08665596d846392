using Build.Bazel.Remote.Execution.V2;
using Google.Protobuf;
using Grpc.Core;
using NUnit.Framework;
using RemoteExec.Protocol;
using RemoteExec.Storage;

namespace RemoteExec.Services.Tests;

internal sealed class ActionCacheTests : ServicesFixture
{
    private static readonly Digest Action = DigestOf("an action");

    private Task<ActionResult> UpdateAsync(ActionResult result, string instance = "") => ActionCache.UpdateActionResultAsync(
        new UpdateActionResultRequest { InstanceName = instance, ActionDigest = Action.ToWire(), ActionResult = result }).ResponseAsync;

    private Task<ActionResult> GetAsync(Action<GetActionResultRequest>? change = null)
    {
        var request = new GetActionResultRequest { ActionDigest = Action.ToWire() };
        change?.Invoke(request);
        return ActionCache.GetActionResultAsync(request).ResponseAsync;
    }

    private static OutputFile File(string path, Digest digest) => new() { Path = path, Digest = digest.ToWire() };

    [Test] // REAPI A1
    public async Task A_miss_is_NOT_FOUND() => Assert.That(await CodeOf(() => GetAsync()), Is.EqualTo(StatusCode.NotFound));

    [Test] // REAPI A3, A4: the action itself need not exist
    public async Task What_was_stored_is_answered_even_without_its_action()
    {
        var file = await StoreAsync("output");
        await UpdateAsync(new ActionResult { OutputFiles = { File("a.o", file) } });

        Assert.That((await GetAsync()).OutputFiles.Single(), Is.EqualTo(File("a.o", file)));
    }

    [Test] // entries are private to their instance
    public async Task Instances_do_not_see_each_other()
    {
        await UpdateAsync(new ActionResult { OutputFiles = { File("a", await StoreAsync("output")) } }, "one");

        Assert.That(await CodeOf(() => GetAsync(request => request.InstanceName = "two")), Is.EqualTo(StatusCode.NotFound));
        Assert.That(await GetAsync(request => request.InstanceName = "one"), Is.Not.Null);
    }

    [Test] // REAPI A3, E2
    public async Task A_result_whose_outputs_are_absent_is_refused_with_all_of_them()
    {
        Digest file = DigestOf("file"), stdout = DigestOf("stdout"), inTree = DigestOf("in tree");
        var tree = new Tree { Root = new WireDirectory { Files = { new FileNode { Name = "f", Digest = inTree.ToWire() } } } };
        var treeDigest = await StoreAsync(tree);
        var result = new ActionResult
        {
            OutputFiles = { File("a", file) },
            StdoutDigest = stdout.ToWire(),
            OutputDirectories = { new OutputDirectory { Path = "d", TreeDigest = treeDigest.ToWire() } },
        };

        var failure = await FailureOf(() => UpdateAsync(result));

        Assert.That(failure.StatusCode, Is.EqualTo(StatusCode.FailedPrecondition));
        Assert.That(
            MissingSubjects(failure),
            Is.EquivalentTo(new[] { file, stdout, inTree }.Select(digest => $"MISSING blobs/{digest}")));
        Assert.That(await CodeOf(() => GetAsync()), Is.EqualTo(StatusCode.NotFound));
    }

    [TestCase(1)]
    [TestCase(40)]
    [TestCase(70)]
    [TestCase(5_000)]
    public async Task F01_a_result_that_lacks_many_outputs_is_refused_in_trailers_that_every_client_takes(int count)
    {
        var result = new ActionResult();
        for (int i = 0; i < count; i++) result.OutputFiles.Add(File($"f{i}", DigestOf($"absent {i}")));

        var failure = await FailureOf(() => UpdateAsync(result));

        Assert.That(SizeOf(failure), Is.LessThanOrEqualTo(8192));
        Assert.That(MissingSubjects(failure), Has.Count.EqualTo(count).Or.Count.GreaterThanOrEqualTo(40));
        Assert.That(failure.Status.Detail, Does.StartWith(count == 1 ? "1 blob is missing" : $"{count} blobs are missing"));
    }

    private static IEnumerable<TestCaseData> BadResults()
    {
        var lie = new WireDigest { Hash = "no hash", SizeBytes = 1 };
        yield return new TestCaseData(new ActionResult { ExitCode = 1 }).SetArgDisplayNames("a failure");
        yield return new TestCaseData(new ActionResult { OutputFiles = { new OutputFile { Path = "a" } } }).SetArgDisplayNames("a file without digest");
        yield return new TestCaseData(new ActionResult { OutputFiles = { new OutputFile { Path = "a", Digest = lie } } }).SetArgDisplayNames("a malformed digest");
        yield return new TestCaseData(new ActionResult { StderrDigest = lie }).SetArgDisplayNames("a malformed stderr digest");
        yield return new TestCaseData(new ActionResult { OutputDirectories = { new OutputDirectory { Path = "d" } } }).SetArgDisplayNames("a directory without tree");

        // TRUST 4.6: whoever gets this result writes files where it says.
        foreach (string path in (string[])["/etc/passwd", "../x", "a/../../x", "..", "", "a//b", "a/", "a\0b"])
        {
            yield return new TestCaseData(new ActionResult { OutputFiles = { File(path, Digest.Empty(DigestFunction.Sha256)) } }).SetArgDisplayNames($"a file at '{path}'");
            yield return new TestCaseData(new ActionResult { OutputSymlinks = { new OutputSymlink { Path = path, Target = "b" } } }).SetArgDisplayNames($"a link at '{path}'");
            if (path.Length > 0)
            {
                var directory = new OutputDirectory { Path = path, TreeDigest = Digest.Empty(DigestFunction.Sha256).ToWire() };
                yield return new TestCaseData(new ActionResult { OutputDirectories = { directory } }).SetArgDisplayNames($"a directory at '{path}'");
            }
        }
    }

    [TestCaseSource(nameof(BadResults))] // REAPI A3, A7, TRUST A3
    public async Task A_bad_result_is_INVALID_ARGUMENT_and_not_stored(ActionResult result)
    {
        Assert.That(await CodeOf(() => UpdateAsync(result)), Is.EqualTo(StatusCode.InvalidArgument));
        Assert.That(await CodeOf(() => GetAsync()), Is.EqualTo(StatusCode.NotFound));
    }

    [TestCase("..")]
    [TestCase("a/b")]
    [TestCase("")] // TRUST 4.6
    public async Task A_tree_with_a_name_that_is_none_is_INVALID_ARGUMENT(string name)
    {
        var tree = new Tree { Root = new WireDirectory(), Children = { new WireDirectory { Symlinks = { new SymlinkNode { Name = name, Target = "x" } } } } };
        var directory = new OutputDirectory { Path = "d", TreeDigest = (await StoreAsync(tree)).ToWire() };

        Assert.That(await CodeOf(() => UpdateAsync(new ActionResult { OutputDirectories = { directory } })), Is.EqualTo(StatusCode.InvalidArgument));
    }

    [Test] // REAPI X4
    public async Task An_output_may_climb_out_of_the_working_directory_but_not_out_of_the_root()
    {
        var command = await StoreAsync(new Command { Arguments = { "true" }, WorkingDirectory = "work" });
        var action = await StoreAsync(new Build.Bazel.Remote.Execution.V2.Action
        {
            CommandDigest = command.ToWire(),
            InputRootDigest = Digest.Empty(DigestFunction.Sha256).ToWire(),
        });

        Assert.That((await ClimbAsync("../x")).OutputFiles.Single().Path, Is.EqualTo("../x"));
        Assert.That(await CodeOf(() => ClimbAsync("../../x")), Is.EqualTo(StatusCode.InvalidArgument));

        Task<ActionResult> ClimbAsync(string path) => ActionCache.UpdateActionResultAsync(new UpdateActionResultRequest
        {
            ActionDigest = action.ToWire(),
            ActionResult = new ActionResult { OutputFiles = { File(path, Digest.Empty(DigestFunction.Sha256)) } },
        }).ResponseAsync;
    }

    [Test] // REAPI A3
    public async Task A_missing_result_or_action_is_INVALID_ARGUMENT()
    {
        Assert.That(await CodeOf(() => UpdateAsync(null!)), Is.EqualTo(StatusCode.InvalidArgument));
        Assert.That(
            await CodeOf(async () => await ActionCache.UpdateActionResultAsync(new UpdateActionResultRequest { ActionResult = new ActionResult() })),
            Is.EqualTo(StatusCode.InvalidArgument));
    }

    [Test] // REAPI A3, A4
    public async Task Where_clients_may_not_write_they_are_told_PERMISSION_DENIED()
    {
        await RestartAsync(new ServicesOptions { ActionCacheUpdateEnabled = false });

        Assert.That(await CodeOf(() => UpdateAsync(new ActionResult())), Is.EqualTo(StatusCode.PermissionDenied));
    }

    [Test] // REAPI A5
    public async Task An_entry_is_never_empty_on_the_wire()
    {
        await UpdateAsync(new ActionResult());

        Assert.That((await GetAsync()).ExecutionMetadata.Worker, Is.Not.Empty);
    }

    [Test] // REAPI A2
    public async Task Contents_are_inlined_on_request_only()
    {
        Digest stdout = await StoreAsync("to stdout"), stderr = await StoreAsync("to stderr"), file = await StoreAsync("in a");
        await UpdateAsync(new ActionResult
        {
            StdoutDigest = stdout.ToWire(),
            StderrDigest = stderr.ToWire(),
            OutputFiles = { File("a", file), File("b", await StoreAsync("in b")) },
        });

        var bare = await GetAsync();
        var full = await GetAsync(request =>
        {
            request.InlineStdout = true;
            request.InlineStderr = true;
            request.InlineOutputFiles.Add("a");
        });

        Assert.That(bare.StdoutRaw.IsEmpty && bare.StderrRaw.IsEmpty && bare.OutputFiles.All(output => output.Contents.IsEmpty));
        Assert.That(full.StdoutRaw.ToStringUtf8(), Is.EqualTo("to stdout"));
        Assert.That(full.StderrRaw.ToStringUtf8(), Is.EqualTo("to stderr"));
        Assert.That(full.OutputFiles.Select(output => output.Contents.ToStringUtf8()), Is.EqualTo(new[] { "in a", "" }));
    }

    [Test] // REAPI A2
    public async Task What_would_not_fit_into_the_message_is_not_inlined()
    {
        await RestartAsync(new ServicesOptions { BatchBytesMax = 1000 });
        await UpdateAsync(new ActionResult { StdoutDigest = (await StoreAsync(new string('x', 1000))).ToWire() });

        Assert.That((await GetAsync(request => request.InlineStdout = true)).StdoutRaw.IsEmpty);
    }

    [Test] // REAPI A2: stripped on write, and nothing is lost by it
    public async Task Inlined_contents_become_blobs()
    {
        await UpdateAsync(new ActionResult { StdoutRaw = ByteString.CopyFromUtf8("said inline") });

        var result = await GetAsync();

        Assert.That(result.StdoutRaw.IsEmpty);
        Assert.That(result.StdoutDigest, Is.EqualTo(DigestOf("said inline").ToWire()));
        Assert.That(await IsStoredAsync(DigestOf("said inline")));
    }

    [Test] // REAPI X10: only a root directory
    public async Task A_directory_without_a_tree_is_checked_by_its_root()
    {
        var file = DigestOf("in directory");
        var root = new WireDirectory { Files = { new FileNode { Name = "f", Digest = file.ToWire() } } };
        var result = new ActionResult { OutputDirectories = { new OutputDirectory { Path = "d", RootDirectoryDigest = (await StoreAsync(root)).ToWire() } } };

        Assert.That(MissingSubjects(await FailureOf(() => UpdateAsync(result))), Is.EqualTo(new[] { $"MISSING blobs/{file}" }));
        await StoreAsync("in directory");
        await UpdateAsync(result);
        Assert.That((await GetAsync()).OutputDirectories, Has.Count.EqualTo(1));
    }

    [Test] // REAPI A1: a client finds such a folder nowhere
    public async Task A_tree_that_lacks_one_of_its_directories_is_refused_with_that_one_and_never_served()
    {
        var child = new WireDirectory { Files = { new FileNode { Name = "f", Digest = (await StoreAsync("in child")).ToWire() } } };
        var tree = new Tree { Root = new WireDirectory { Directories = { new DirectoryNode { Name = "d", Digest = DigestOf(child).ToWire() } } } };
        var result = new ActionResult { OutputDirectories = { new OutputDirectory { Path = "d", TreeDigest = (await StoreAsync(tree)).ToWire() } } };

        Assert.That(MissingSubjects(await FailureOf(() => UpdateAsync(result))), Is.EqualTo(new[] { $"MISSING blobs/{DigestOf(child)}" }));
        await Cache.PutAsync(new ActionCacheKey(default, Action), result, Soon);
        Assert.That(await CodeOf(() => GetAsync()), Is.EqualTo(StatusCode.NotFound));

        await StoreAsync(child);
        await UpdateAsync(result);
        Assert.That((await GetAsync()).OutputDirectories, Has.Count.EqualTo(1));
    }
}
