using System.Text.Json.Nodes;
using Build.Bazel.Remote.Execution.V2;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using RemoteExec.Protocol;
using RemoteExec.Storage;

namespace RemoteExec.Cli.Tests;

/// <summary>What <c>rexec run</c> sends, shows and answers.</summary>
internal sealed class RunTests : CliFixture
{
    [Test]
    public async Task A_command_that_succeeded_ends_with_0_and_its_output_is_our_output()
    {
        Server.Executions.ThenEnd(new ActionResult { StdoutRaw = ByteString.CopyFromUtf8("out\n"), StderrRaw = ByteString.CopyFromUtf8("err\n") });

        Assert.That(await RunAsync("run", "--", "true"), Is.EqualTo(new CliAnswer(Done, "out\n", "err\n")));
    }

    [Test]
    public async Task An_announced_output_that_did_not_come_is_a_failure()
    {
        Server.Executions.ThenEnd(new ActionResult());

        Assert.That(await RunAsync("run", "-o", "missing", "--", "true"), Is.EqualTo(new CliAnswer(CommandFailed, "", "the command did not write missing\n")));
    }

    [Test]
    public async Task All_of_the_output_comes_from_the_store_where_nothing_was_shown_live()
    {
        byte[] content = new byte[9 << 20];
        new Random(1).NextBytes(content);
        var digest = await Server.PutAsync(Convert.ToHexString(content));
        Server.Executions.ThenEnd(new ActionResult { StdoutDigest = digest.ToWire() });

        var answer = await RunAsync("run", "--", "cat");

        Assert.That(answer.ExitCode, Is.EqualTo(Done));
        Assert.That(answer.Output, Is.EqualTo(Convert.ToHexString(content)));
    }

    [Test]
    public async Task F16_output_that_the_worker_cut_is_a_failure_told_beside_the_data()
    {
        var digest = await Server.PutAsync("headtail");
        var note = new Struct
        {
            Fields =
            {
                ["stdoutDroppedBytes"] = Value.ForNumber(1000),
                ["stderrDroppedBytes"] = Value.ForNumber(0),
                ["logHeadBytes"] = Value.ForNumber(4),
            },
        };
        Server.Executions.ThenEnd(new ActionResult
        {
            StdoutDigest = digest.ToWire(),
            ExecutionMetadata = new ExecutedActionMetadata { AuxiliaryMetadata = { Any.Pack(note) } },
        });

        var answer = await RunAsync("run", "--", "true");

        Assert.That((answer.ExitCode, answer.Output), Is.EqualTo((CommandFailed, "headtail")));
        Assert.That(answer.Error, Does.StartWith("standard output is not complete: 1000 bytes after the first 4"));
        Assert.That(answer.Error, Does.Not.Contain("standard error"));
    }

    [Test]
    public async Task F16_where_a_person_reads_a_line_stands_in_place_of_what_the_worker_cut()
    {
        var digest = await Server.PutAsync("headtail");
        var note = new Struct
        {
            Fields =
            {
                ["stdoutDroppedBytes"] = Value.ForNumber(0),
                ["stderrDroppedBytes"] = Value.ForNumber(1000),
                ["logHeadBytes"] = Value.ForNumber(4),
            },
        };
        Server.Executions.ThenEnd(new ActionResult
        {
            StderrDigest = digest.ToWire(),
            ExecutionMetadata = new ExecutedActionMetadata { AuxiliaryMetadata = { Any.Pack(note) } },
        });

        var answer = await RunAsync("run", "--", "true");

        Assert.That(answer.ExitCode, Is.EqualTo(CommandFailed));
        Assert.That(answer.Error, Does.StartWith("head\n… 1000 bytes are missing here …\ntail").And.Contain("standard error is not complete: 1000 bytes after the first 4"));
    }

    [TestCase(0, 0, 4, 1000, 4)]
    [TestCase(3, 3, 4, 1000, 4)]
    [TestCase(4, 4, 4, 1000, 4)]
    [TestCase(504, 4, 4, 500, 4)] // half of what the worker dropped was shown while it ran
    [TestCase(1004, 4, 4, 0, 4)]
    [TestCase(1006, 4, 4, 0, 6)]
    public void F16_what_was_shown_live_is_not_shown_again_and_not_lost(long shown, long headFrom, long headTo, long lost, long tailFrom) =>
        Assert.That(new DroppedOutput(Bytes: 1000, HeadBytes: 4).After(shown), Is.EqualTo((headFrom, headTo, lost, tailFrom)));

    [Test]
    public async Task Output_that_is_no_longer_stored_is_a_failure()
    {
        Server.Executions.ThenEnd(new ActionResult { StdoutDigest = Digest.Of(DigestFunction.Sha256, "gone"u8).ToWire() });

        var answer = await RunAsync("run", "--", "true");

        Assert.That(answer.ExitCode, Is.EqualTo(NotFound));
        Assert.That(answer.Error, Does.Contain("no longer stored").And.Contain("--no-cache"));
    }

    [Test]
    public async Task A_failed_command_is_told_once_with_its_page()
    {
        Server.Executions.ThenEnd(new ExecuteResponse { Result = new ActionResult { ExitCode = 7 }, Message = "http://host:1/action/x" });

        Assert.That(await RunAsync("run", "--", "false"),
            Is.EqualTo(new CliAnswer(CommandFailed, "", "the command ended with exit code 7 - http://host:1/action/x\n")));
        Assert.That((await RunAsync("run", "--propagate-exit", "--", "false")).ExitCode, Is.EqualTo(7));
    }

    [Test]
    public async Task A_program_that_does_not_exist_there_is_the_commands_failure()
    {
        Server.Executions.ThenEnd(new ExecuteResponse
        {
            Status = new RpcStatus { Code = (int)StatusCode.FailedPrecondition, Message = "missing command: the program \"x\" does not exist" },
        });

        Assert.That(await RunAsync("run", "--", "x"), Is.EqualTo(new CliAnswer(CommandFailed, "", "the program \"x\" does not exist\n")));
        Assert.That((await RunAsync("run", "--propagate-exit", "--", "x")).ExitCode, Is.EqualTo(127));
    }

    [Test]
    public async Task The_servers_own_sentence_stands_alone()
    {
        Server.Executions.ThenEnd(new ExecuteResponse { Status = new RpcStatus { Code = (int)StatusCode.Unavailable, Message = "waited 30 s for a worker" } });

        Assert.That(await RunAsync("run", "--", "true"), Is.EqualTo(new CliAnswer(Unavailable, "", "waited 30 s for a worker\n")));
    }

    [Test]
    public async Task What_is_piped_in_is_the_commands_standard_input()
    {
        Server.Executions.ThenEnd(new ActionResult());

        Assert.That((await RunWithInputAsync("some text", "run", "tr", "a-z", "A-Z")).ExitCode, Is.EqualTo(Done));

        var (action, command) = await SentAsync();
        var root = await MessageAsync(Build.Bazel.Remote.Execution.V2.Directory.Parser, action.InputRootDigest);
        Assert.That(command.Arguments, Is.EqualTo(new[] { "/bin/sh", "-c", "exec \"$@\" < .rexec-stdin", "sh", "tr", "a-z", "A-Z" }));
        Assert.That(root.Files.Single().Name, Is.EqualTo(".rexec-stdin"));
        Assert.That(root.Files.Single().Digest, Is.EqualTo(Digest.Of(DigestFunction.Sha256, "some text"u8).ToWire()));
    }

    [TestCase("", null)]
    [TestCase(null, null)]
    [TestCase("ignored", "none")]
    public async Task Nothing_on_standard_input_leaves_the_command_as_it_was(string? input, string? stdin)
    {
        Server.Executions.ThenEnd(new ActionResult());

        Assert.That((await RunWithInputAsync(input, ["run", .. stdin is null ? [] : new[] { "--stdin", stdin }, "cat"])).ExitCode, Is.EqualTo(Done));

        var (action, command) = await SentAsync();
        Assert.That(command.Arguments, Is.EqualTo(new[] { "cat" }));
        Assert.That(action.InputRootDigest.SizeBytes, Is.Zero);
    }

    [Test]
    public async Task A_file_can_be_the_standard_input()
    {
        Server.Executions.ThenEnd(new ActionResult());

        Assert.That((await RunAsync("run", "--stdin", Folder.Write("in", "from a file"), "cat")).ExitCode, Is.EqualTo(Done));

        Assert.That((await SentAsync()).Command.Arguments[0], Is.EqualTo("/bin/sh"));
    }

    [Test]
    public async Task More_standard_input_than_travels_with_a_command_is_refused()
    {
        var answer = await RunAtAsync(Server.Address, new EndlessStream(), isWatched: false, "run", "cat");

        Assert.That(answer.ExitCode, Is.EqualTo(Usage));
        Assert.That(answer.Error, Does.Contain("--stdin none"));
    }

    [TestCase("run gcc -o app --version", new[] { "gcc", "-o", "app", "--version" })]
    [TestCase("run -o app -- gcc -o app", new[] { "gcc", "-o", "app" })]
    [TestCase("run --no-cache ls --json", new[] { "ls", "--json" })]
    [TestCase("run -eA=B ls -- -x", new[] { "ls", "--", "-x" })]
    [TestCase("run cc @args [suggest]", new[] { "cc", "@args", "[suggest]" })]
    public async Task The_command_begins_with_the_first_word_that_is_not_ours(string line, string[] command)
    {
        Server.Executions.ThenEnd(new ActionResult { OutputFiles = { new OutputFile { Path = "app", Digest = Digest.Empty(DigestFunction.Sha256).ToWire() } } });

        Assert.That((await RunAsync(["run", "--into", Folder.Path, .. line.Split(' ')[1..]])).ExitCode, Is.EqualTo(Done));
        Assert.That((await SentAsync()).Command.Arguments, Is.EqualTo(command));
    }

    [TestCase("run --typo -- ls", "--typo: rexec run has no such option")]
    [TestCase("run --inptu . -- ls", "Did you mean '--input'?")]
    [TestCase("run --no-cahce ls", "Did you mean '--no-cache'?")]
    [TestCase("run -z ls", "-z: rexec run has no such option")]
    public async Task An_option_before_the_command_is_ours_and_is_checked(string line, string says)
    {
        var answer = await RunAsync(line.Split(' '));

        Assert.That(answer.ExitCode, Is.EqualTo(Usage));
        Assert.That(answer.Error, Does.Contain(says));
        Assert.That(Server.Executions.Request, Is.Null);
    }

    [Test]
    public async Task A_lost_stream_is_told_and_taken_up_again()
    {
        Server.Executions
            .Then(async (stream, _) =>
            {
                await stream.WriteAsync(ScriptedExecutions.Running(), CancellationToken.None);
                throw new RpcException(new Status(StatusCode.Unavailable, "restarting"));
            })
            .ThenEnd(new ActionResult { StdoutRaw = ByteString.CopyFromUtf8("all of it") });

        var answer = await RunAsync("run", "--", "true");

        Assert.That((answer.ExitCode, answer.Output), Is.EqualTo((Done, "all of it")));
        Assert.That(answer.Error, Does.Contain("was lost while the command ran").And.Contain("the server is back"));
    }

    [Test]
    public async Task The_answer_for_programs_has_the_whole_result_and_nothing_beside_it_on_standard_output()
    {
        var output = await Server.PutAsync("content");
        Server.Executions.ThenEnd(new ExecuteResponse
        {
            Result = new ActionResult
            {
                StdoutRaw = ByteString.CopyFromUtf8("talk\n"),
                OutputFiles = { new OutputFile { Path = "out", Digest = output.ToWire() } },
                ExecutionMetadata = new ExecutedActionMetadata { Worker = "w1" },
            },
            CachedResult = true,
            Message = "found - http://host:1/action/x",
        });

        var answer = await RunAsync("run", "--json", "--into", Folder.Path, "-o", "out", "-o", "gone", "--", "true");
        var row = JsonNode.Parse(answer.Output)!.AsObject();

        Assert.Multiple(() =>
        {
            Assert.That(answer.ExitCode, Is.EqualTo(CommandFailed));
            Assert.That(answer.Error, Does.StartWith("talk\n"));
            Assert.That((string?)row["action"], Is.EqualTo($"{Server.Executions.Request!.ActionDigest.Hash}/{Server.Executions.Request.ActionDigest.SizeBytes}"));
            Assert.That((int?)row["exitCode"], Is.Zero);
            Assert.That(((bool?)row["cached"], (bool?)row["complete"], (string?)row["worker"], (string?)row["link"]), Is.EqualTo((true, false, "w1", "http://host:1/action/x")));
            Assert.That((string?)row["outputs"]![0]!["digest"], Is.EqualTo(output.ToString()));
            Assert.That((string?)row["missing"]![0], Is.EqualTo("gone"));
            Assert.That(File.ReadAllText(Folder.Combine("out")), Is.EqualTo("content"));
        });
    }

    [Test]
    public async Task Links_that_lead_out_of_the_input_and_names_that_are_not_UTF8_are_refused_before_anything_is_sent()
    {
        Folder.Write("links/deep/file", "x");
        File.CreateSymbolicLink(Folder.Combine("links/deep/abs"), "/etc/hosts");

        var answer = await RunAsync("run", "-i", Folder.Combine("links"), "--", "true");

        Assert.That(answer.ExitCode, Is.EqualTo(Usage));
        Assert.That(answer.Error, Does.Contain(Folder.Combine("links/deep/abs")).And.Contain("/etc/hosts"));
        Assert.That((Server.Executions.Request, Server.Blobs.Usage.Blobs), Is.EqualTo(((ExecuteRequest?)null, 0L)));
    }

    [Test]
    public async Task Several_input_folders_lie_over_each_other_and_names_can_be_left_out()
    {
        Folder.Write("one/lib/a", "a");
        Folder.Write("two/lib/b", "b");
        Folder.Write("two/lib/b.o", "not wanted");
        Server.Executions.ThenEnd(new ActionResult());

        Assert.That((await RunAsync("run", "-i", Folder.Combine("one"), "-i", Folder.Combine("two"), "--exclude", "*.o", "true")).ExitCode, Is.EqualTo(Done));

        var (action, _) = await SentAsync();
        var root = await MessageAsync(Build.Bazel.Remote.Execution.V2.Directory.Parser, action.InputRootDigest);
        var lib = await MessageAsync(Build.Bazel.Remote.Execution.V2.Directory.Parser, root.Directories.Single().Digest);
        Assert.That(lib.Files.Select(file => file.Name), Is.EqualTo(new[] { "a", "b" }));
    }

    [Test]
    public async Task Variables_come_from_a_file_and_the_command_line_wins()
    {
        Server.Executions.ThenEnd(new ActionResult());
        string file = Folder.Write("env", "# comment\nA=1\nB=2=3\n\n");

        Assert.That((await RunAsync("run", "--env-file", file, "-e", "A=9", "true")).ExitCode, Is.EqualTo(Done));

        Assert.That((await SentAsync()).Command.EnvironmentVariables.Select(v => $"{v.Name}={v.Value}"), Is.EqualTo(new[] { "A=9", "B=2=3" }));
    }

    private async Task<(WireAction Action, WireCommand Command)> SentAsync()
    {
        var action = await MessageAsync(WireAction.Parser, Server.Executions.Request!.ActionDigest);
        return (action, await MessageAsync(WireCommand.Parser, action.CommandDigest));
    }

    private async Task<T> MessageAsync<T>(MessageParser<T> parser, WireDigest digest)
        where T : class, IMessage<T>
    {
        var bytes = await Server.Blobs.ReadAllAsync(WireDigests.FromWire(digest, DigestFunction.Sha256, "digest"), 1 << 20, CancellationToken.None);
        return parser.ParseFrom(bytes!.Value.Span);
    }

    private sealed class EndlessStream : MemoryStream
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => ValueTask.FromResult(buffer.Length);
    }
}
