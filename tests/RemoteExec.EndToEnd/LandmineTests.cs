using NUnit.Framework;
using static RemoteExec.Conformance.RawMessage;

namespace RemoteExec.EndToEnd;

/// <summary>
/// What clients differ in (REAPI 5.6), each imitated by the messages that it writes: its fields in its order, and none that it leaves out.
/// Two of them need a clock that is moved, and so a server inside of a test. Of 4 the half that is Buck2's, which holds one stream for hours: HeldStreamTests of the
/// services. 9, how long blobs are kept: KeptBlobTests of the server.
/// </summary>
/// <remarks>
/// 11 is a rule for workers of Windows, and there is none: workers offer OSFamily=linux, and whoever asks for another is refused. One that offers
/// OSFamily=windows has to take both separators in argv[0], the working directory and output paths, since Bazel up to 7 writes its own machine's (REAPI X2),
/// look for the program with the suffixes of PATHEXT, and refuse names of the input tree that differ in case alone (X12). A worker of Linux changes no byte
/// of a name: there a backslash is a letter like any other.
/// </remarks>
public sealed partial class LandmineTests
{
    private const string Service = "build.bazel.remote.execution.v2.";
    private const string UpdateBlobs = Service + "ContentAddressableStorage/BatchUpdateBlobs";
    private const string ExecuteMethod = Service + "Execution/Execute";
    private const string WaitMethod = Service + "Execution/WaitExecution";
    private const string CapabilitiesMethod = Service + "Capabilities/GetCapabilities";
    private const string WriteMethod = "google.bytestream.ByteStream/Write";
    private const string Metadata = Service + "requestmetadata-bin";

    // More than the streams that Kestrel gives one connection by default.
    private const int ManyStreams = 250;

    private ServerProcess? _server;
    private RawExecutor? _executor;

    private RawExecutor Executor => _executor ?? throw new InvalidOperationException("the server was not started");

    [OneTimeSetUp]
    public async Task StartServerAsync()
    {
        _server = await ServerProcess.StartAsync(Lab.NewFolder("server"));
        _executor = new RawExecutor(_server.GrpcAddress);
    }

    [OneTimeTearDown]
    public async Task StopServerAsync()
    {
        _executor?.Dispose();
        if (_server is null) return;
        await using var server = _server;
        await server.StopAsync();
    }

    [Test] // REAPI 5.6: 1; what Bazel up to 6 compares before it does anything else
    public async Task Bazel_up_to_6_finds_its_version_its_function_and_its_right_to_execute()
    {
        var capabilities = (await Executor.CallAsync(CapabilitiesMethod, Of((1, "")))).Single();
        var (low, high, execution) = (capabilities.Message(4), capabilities.Message(5), capabilities.Message(2));

        Assert.Multiple(() =>
        {
            Assert.That((low.Number(1), low.Number(2)), Is.EqualTo((2, 0)), "ClientApiVersion 2.0 is not below low_api_version");
            Assert.That((high.Number(1), high.Number(2)), Is.EqualTo((2, 12)));
            Assert.That(capabilities.Bytes(3).IsEmpty, "deprecated_api_version: a warning in every build");
            Assert.That((execution.Number(1), execution.Number(2)), Is.EqualTo((1, 1)), "digest_function SHA256, exec_enabled");
            // Options.remote_execution_priority 0 has to be inside of a range.
            Assert.That(execution.Message(3).Message(1).Number(1), Is.LessThanOrEqualTo(0));
        });
    }

    [Test] // REAPI 5.6: 2; Bazel 2.1 knows no Action.platform, and no output_paths
    public async Task Bazel_2_1_has_its_platform_on_the_command_and_two_lists_of_outputs()
    {
        byte[] command = Of(
            (1, "/bin/bash"), (1, "-c"), (1, "mkdir -p bazel-out/d && printf f > bazel-out/f && printf g > bazel-out/d/g"),
            (2, Of((1, "PATH"), (2, "/bin:/usr/bin"))), (3, "bazel-out/f"), (4, "bazel-out/d"), (5, Property("OSFamily", "linux")));
        byte[] action = Of((1, Digest(command)), (2, Digest([])));

        var result = await RunAsync([command], action, (Metadata, Bazel("2.1.0")));

        Assert.That(result.Status, Is.EqualTo(RawStatus.Ok), result.Message);
        Assert.That(result.Outputs.Keys, Is.EqualTo(["bazel-out/f"]));
        Assert.That(result.Directories, Is.EqualTo(["bazel-out/d"]));
    }

    [TestCase(true, false)] // REAPI 5.6: 2; Buck2 and Bazel 2
    [TestCase(true, true)] // Bazel from 3 on
    [TestCase(false, true)] // newer ones
    public async Task A_platform_that_nobody_has_is_refused_wherever_a_client_puts_it(bool onCommand, bool onAction)
    {
        byte[] platform = Property("OSFamily", "windows");
        byte[] command = Of((1, "/bin/true"), (5, onCommand ? platform : null));
        byte[] action = Of((1, Digest(command)), (2, Digest([])), (10, onAction ? platform : null));
        await Executor.StoreAllAsync(command, action);

        var (status, detail) = await Executor.TryRunAsync(Of((6, Digest(action))));

        Assert.That(status, Is.EqualTo(RawStatus.FailedPrecondition), detail);
        Assert.That(detail, Does.Contain("OSFamily"));
    }

    [Test] // REAPI 5.6: 3; Buck2 hashes with BLAKE3, and says so nowhere
    public async Task Buck2_hashes_with_BLAKE3_and_never_says_so()
    {
        await using var server = await ServerProcess.StartAsync(Lab.NewFolder("server"), "--unnamed-digest-function", "blake3");
        using var executor = new RawExecutor(server.GrpcAddress);
        byte[] command = Of((1, "/bin/sh"), (1, "-c"), (1, "printf buck > out"), (5, Property("OSFamily", "linux")), (7, "out"));
        byte[] action = Of((1, Blake3(command)), (2, Blake3([])));
        await executor.CallAsync(UpdateBlobs, Of((2, Of((1, Blake3(command)), (2, command))), (2, Of((1, Blake3(action)), (2, action)))));

        var operation = (await executor.CallAsync(ExecuteMethod, Of((6, Blake3(action)), (7, Of((1, 1))))))[^1];

        var result = operation.Message(5).Message(2).Message(1);
        Assert.That(result.Message(2).Bytes(2).ToArray(), Is.EqualTo(Blake3("buck"u8.ToArray())), "the output's digest is by the action's function");
        var read = RawBlob.From(result.Message(2).Message(2));
        Assert.That((await executor.ReadAsync(read)).Content, Is.EqualTo("buck"u8.ToArray()));
        await server.StopAsync();
    }

    [Test] // REAPI 5.6: 5; siso opens thousands of streams on few connections
    public async Task Siso_follows_hundreds_of_executions_on_one_connection()
    {
        using var connection = new Connection(new Uri($"grpc://{_server!.GrpcAddress}"), "", []);
        using var deadline = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        var peer = new Peer(connection, deadline.Token);
        using var line = peer.OpenLine();
        var request = new Build.Bazel.Remote.Execution.V2.ExecuteRequest { ActionDigest = await peer.StoreAsync(new ActionDraft("while :; do sleep 0.1; done")) };

        var calls = Enumerable.Range(0, ManyStreams).Select(_ => line.Execution.Execute(request, cancellationToken: deadline.Token)).ToArray();
        foreach (var call in calls) Assert.That(await call.ResponseStream.MoveNext(deadline.Token), "a first message, while all others are open");

        Assert.That(calls.Select(call => call.ResponseStream.Current.Name).Distinct().Count(), Is.EqualTo(ManyStreams));
        foreach (var call in calls) call.Dispose();
    }

    [Test] // REAPI 5.6: 6; the Go SDK compares what is committed with the digest's size, or takes -1 for a compressed upload
    public async Task The_Go_SDK_uploads_again_what_is_there()
    {
        byte[] content = Peer.Text(3 << 20);
        var blob = RawBlob.Of(content);
        string name = $"uploads/{Guid.NewGuid()}/blobs/{blob.Hash}/{blob.SizeBytes}";
        // Its name in the first message alone; chunks of 1 MiB; the last one finishes.
        var chunks = content.Chunk(1 << 20).ToArray();
        var messages = chunks.Select((chunk, i) => Of((1, i == 0 ? name : null), (2, i == 0 ? null : (long)i << 20), (3, i == chunks.Length - 1 ? true : null), (10, chunk))).ToArray();

        long first = (await Executor.CallAsync(WriteMethod, messages)).Single().Number(1);
        long again = (await Executor.CallAsync(WriteMethod, messages)).Single().Number(1);
        byte[] frame = Zstd.Compress(content);
        long compressed = (await Executor.CallAsync(
            WriteMethod,
            Of((1, name.Replace("/blobs/", "/compressed-blobs/zstd/", StringComparison.Ordinal)), (3, true), (10, frame)))).Single().Number(1);

        Assert.That((first, again, compressed), Is.EqualTo((blob.SizeBytes, blob.SizeBytes, -1L)));
    }

    [Test] // REAPI 5.6: 10; Bazel 9's repository contents, and recc that only caches
    public async Task Recc_stores_results_of_actions_that_it_never_stored()
    {
        var output = await Executor.StoreAsync(Peer.Random(500));
        byte[] key = Digest(Peer.Random(80)), result = Of((2, Of((1, "main.o"), (2, output.ToMessage()))));
        (string, string) metadata = ("requestmetadata-bin", Convert.ToBase64String(Of((1, Of((1, "recc"), (2, "1.2"))))));

        await Executor.CallAsync(Service + "ActionCache/UpdateActionResult", [Of((2, key), (3, result))], metadata);
        var found = (await Executor.CallAsync(Service + "ActionCache/GetActionResult", [Of((2, key))], metadata)).Single();

        Assert.That(RawBlob.From(found.Message(2).Message(2)), Is.EqualTo(output));
    }

    [Test] // REAPI 5.6: 12
    public async Task Bazel_6_3_names_each_output_in_two_lists_and_gets_it_once()
    {
        byte[] command = Of(
            (1, "/bin/sh"), (1, "-c"), (1, "mkdir -p d && printf f > f && printf g > d/g"), (3, "f"), (4, "d"), (7, "d"), (7, "f"));
        byte[] action = Of((1, Digest(command)), (2, Digest([])));

        var result = await RunAsync([command], action, (Metadata, Bazel("6.3.0")));

        Assert.That(result.Status, Is.EqualTo(RawStatus.Ok), result.Message);
        Assert.That(result.Outputs.Keys, Is.EqualTo(["f"]));
        Assert.That(result.Directories, Is.EqualTo(["d"]));
    }

    [Test] // REAPI 5.6: 13; Bazel marks its tools so, and newer clients say what nobody knows yet
    public async Task What_is_not_known_of_an_input_passes_and_its_bytes_are_kept()
    {
        var tool = await Executor.StoreAsync("#!/bin/sh\nprintf tool > out\n"u8.ToArray());
        byte[] marked = Of((1, Of((1, "bazel_tool_input"), (2, ""))));
        byte[] root = Of((1, Of((1, "tool"), (2, tool.ToMessage()), (4, true), (6, marked), (100, "of a newer client"))), (101, "and so is this"));
        byte[] command = Of((1, "./tool"), (7, "out"), (9, 77), (102, "and this"));
        byte[] action = Of((1, Digest(command)), (2, Digest(root)), (103, "and this"));

        var result = await RunAsync([root, command], action, (Metadata, Bazel("9.1.0")));

        Assert.That(result.Status, Is.EqualTo(RawStatus.Ok), result.Message);
        Assert.That(result.Outputs["out"], Is.EqualTo(RawBlob.Of("tool"u8)));
        Assert.That((await Executor.ReadAsync(RawBlob.Of(root))).Content, Is.EqualTo(root));
    }

    [Test] // Please since 2021 and Pants send output_paths alone, and Pants its metadata under the name of an earlier protocol
    public async Task Pants_and_Please_send_output_paths_alone()
    {
        byte[] command = Of((1, "/bin/sh"), (1, "-c"), (1, "mkdir d && printf g > d/g && printf f > f"), (7, "d"), (7, "f"), (7, "never"));
        byte[] action = Of((1, Digest(command)), (2, Digest([])));

        var result = await RunAsync([command], action, ("google.devtools.remoteexecution.v1test.requestmetadata-bin", Bazel("1")));

        Assert.That(result.Outputs.Keys, Is.EqualTo(["f"]));
        Assert.That(result.Directories, Is.EqualTo(["d"]));
    }

    [Test] // BuildStream: links as outputs, an input root that looks like /, outputs relative to the working directory
    public async Task BuildStream_builds_in_a_root_of_its_own_and_takes_links_home()
    {
        byte[] usr = Of((3, Of((1, "lib64"), (2, "lib"))));
        byte[] root = Of((2, Of((1, "buildstream"), (2, Digest([])))), (2, Of((1, "usr"), (2, Digest(usr)))));
        byte[] command = Of((1, "/bin/sh"), (1, "-c"), (1, "ln -s ../usr/lib64 link && readlink ../usr/lib64 > read"), (6, "buildstream"), (7, "link"), (7, "read"));
        byte[] action = Of((1, Digest(command)), (2, Digest(root)));

        var result = await RunAsync([usr, root, command], action);

        Assert.That(result.Status, Is.EqualTo(RawStatus.Ok), result.Message);
        Assert.That(result.Links, Is.EqualTo(["link -> ../usr/lib64"]));
        Assert.That(result.Outputs["read"], Is.EqualTo(RawBlob.Of("lib\n"u8)));
    }

    [Test] // just asks for chunks as soon as splitting is announced, without a function and with what its own proto has
    public async Task Justbuild_splits_by_whatever_function_the_server_takes()
    {
        var blob = await Executor.StoreLargeAsync(Peer.Random(5 << 20));

        var split = (await Executor.CallAsync(Service + "ContentAddressableStorage/SplitBlob", Of((2, blob.ToMessage()), (50, "of its own")))).Single();

        Assert.That(split.Messages(1).Sum(chunk => chunk.Number(2)), Is.EqualTo(blob.SizeBytes));
    }

    private static byte[] Digest(byte[] blob) => RawBlob.Of(blob).ToMessage();

    private static byte[] Blake3(byte[] blob)
    {
        var digest = Core.Digest.Of(Core.DigestFunction.Blake3, blob);
        return Of((1, digest.Hash), (2, digest.SizeBytes == 0 ? null : digest.SizeBytes));
    }

    private static byte[] Property(string name, string value) => Of((1, Of((1, name), (2, value))));

    private static string Bazel(string version) =>
        Convert.ToBase64String(Of((1, Of((1, "bazel"), (2, version))), (2, new string('a', 64)), (3, Guid.NewGuid().ToString()), (4, Guid.NewGuid().ToString())));

    private async Task<RawResult> RunAsync(IReadOnlyList<byte[]> blobs, byte[] action, params (string Name, string Value)[] headers)
    {
        await Executor.StoreAllAsync([.. blobs, action]);
        return await Executor.RunAsync(Of((6, Digest(action))), headers);
    }
}
