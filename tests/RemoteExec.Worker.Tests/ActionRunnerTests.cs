using Build.Bazel.Remote.Execution.V2;
using Buildbarn.ResourceUsage;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Google.Rpc;
using Grpc.Core;
using NUnit.Framework;
using RemoteExec.Protocol;
using RemoteExec.Protocol.V1;
using RemoteExec.Worker.Sandbox;

namespace RemoteExec.Worker.Tests;

public sealed class ActionRunnerTests
{
    private static readonly WireCommand Plain = new() { Arguments = { "tool" }, OutputPaths = { "out/result" } };

    [Test]
    public async Task A_command_finds_its_inputs_and_its_output_comes_back()
    {
        await using var bench = new ActionBench();
        var inner = new WireDirectory { Files = { ActionBench.File("a.txt", bench.Put("alpha")) } };
        var root = new WireDirectory
        {
            Files = { ActionBench.File("empty", Digest.Empty(DigestFunction.Sha256)) },
            Directories = { new DirectoryNode { Name = "dir", Digest = bench.Put(inner).ToWire() } },
            Symlinks = { new SymlinkNode { Name = "link", Target = "dir/a.txt" } },
        };
        var sandbox = ScriptedSandbox.Exits(0, path =>
        {
            Assert.That(File.ReadAllText(Path.Combine(path, "link")), Is.EqualTo("alpha"));
            Assert.That(new FileInfo(Path.Combine(path, "empty")).Length, Is.Zero);
            File.WriteAllText(Path.Combine(path, "out/result"), "made");
        });

        var report = await bench.RunAsync(sandbox, bench.Lease(Plain, root));

        Assert.That((StatusCode)report.Status.Code, Is.EqualTo(StatusCode.OK), report.Status.Message);
        var output = report.InlineResult.OutputFiles.Single();
        Assert.That(output.Path, Is.EqualTo("out/result"));
        Assert.That(output.Digest, Is.EqualTo(Digest.Of(DigestFunction.Sha256, "made"u8).ToWire()));
        Assert.That(bench.Store.Has(Digest.Of(DigestFunction.Sha256, "made"u8)));
        Assert.That(report.Usage.InputFiles, Is.EqualTo(2));
        Assert.That(report.Usage.InputBytes, Is.EqualTo(5));
        Assert.That(report.Usage.OutputBytes, Is.EqualTo(4));
    }

    [Test]
    public async Task All_nine_timestamps_are_there_and_in_order()
    {
        await using var bench = new ActionBench();
        var report = await bench.RunAsync(ScriptedSandbox.Exits(0), bench.Lease(Plain));

        var metadata = report.InlineResult.ExecutionMetadata;
        var stamps = new[]
        {
            metadata.QueuedTimestamp, metadata.WorkerStartTimestamp, metadata.InputFetchStartTimestamp,
            metadata.InputFetchCompletedTimestamp, metadata.ExecutionStartTimestamp, metadata.ExecutionCompletedTimestamp,
            metadata.OutputUploadStartTimestamp, metadata.OutputUploadCompletedTimestamp, metadata.WorkerCompletedTimestamp,
        };
        Assert.That(stamps, Has.None.Null);
        Assert.That(stamps.Select(stamp => stamp.ToDateTimeOffset()), Is.Ordered);
        Assert.That(metadata.VirtualExecutionDuration.ToTimeSpan(), Is.EqualTo(TimeSpan.FromSeconds(2)));
        Assert.That(metadata.Worker, Is.EqualTo("bench"));
        Assert.That(metadata.AuxiliaryMetadata.Single().Is(Google.Protobuf.WellKnownTypes.Struct.Descriptor), "F19: a type that every client knows");
    }

    [Test] // REAPI T2
    public async Task What_the_kernel_counted_is_told_in_Buildbarns_words_beside_ours()
    {
        await using var bench = new ActionBench();
        var report = await bench.RunAsync(ScriptedSandbox.Ends(Counted(signal: 9) with { Outcome = SandboxOutcome.Signaled, ExitCode = 137 }), bench.Lease(Plain));

        var notes = report.InlineResult.ExecutionMetadata.AuxiliaryMetadata;
        Assert.That(notes.Select(note => note.TypeUrl), Is.EqualTo(
            ["type.googleapis.com/google.protobuf.Struct", "type.googleapis.com/buildbarn.resourceusage.POSIXResourceUsage"]));
        Assert.That(notes[1].Unpack<POSIXResourceUsage>(), Is.EqualTo(new POSIXResourceUsage
        {
            UserTime = Duration.FromTimeSpan(TimeSpan.FromSeconds(1)), SystemTime = Duration.FromTimeSpan(TimeSpan.FromSeconds(2)),
            MaximumResidentSetSize = 3, PageReclaims = 7, PageFaults = 8, Swaps = 9, BlockInputOperations = 10, BlockOutputOperations = 11,
            MessagesSent = 12, MessagesReceived = 13, SignalsReceived = 14, VoluntaryContextSwitches = 15, InvoluntaryContextSwitches = 16, TerminationSignal = "KILL",
        }));
        // By its numbers, as somebody has it who was given the definition by Buildbarn: field 7 is 7, and so on.
        Assert.That(notes[1].Value.ToByteArray(), Is.EqualTo(new byte[]
        {
            0x0A, 2, 8, 1, 0x12, 2, 8, 2, 0x18, 3, 0x38, 7, 0x40, 8, 0x48, 9, 0x50, 10, 0x58, 11, 0x60, 12, 0x68, 13, 0x70, 14, 0x78, 15,
            0x80, 1, 16, 0x8A, 1, 4, (byte)'K', (byte)'I', (byte)'L', (byte)'L',
        }));
    }

    [TestCase(0, "")]
    [TestCase(1, "HUP")]
    [TestCase(11, "SEGV")]
    [TestCase(31, "SYS")]
    [TestCase(35, "35")]
    public void A_signal_is_told_by_its_name(int signal, string name) =>
        Assert.That(PosixUsage.Of(Counted(signal))!.TerminationSignal, Is.EqualTo(name));

    [Test]
    public void What_nobody_counted_is_not_told() =>
        Assert.That(PosixUsage.Of(new SandboxReport { Outcome = SandboxOutcome.Exited }), Is.Null);

    private static SandboxReport Counted(int signal) => new()
    {
        Outcome = SandboxOutcome.Exited, Signal = signal, UserTime = TimeSpan.FromSeconds(1), SystemTime = TimeSpan.FromSeconds(2),
        Kernel = new KernelUsage
        {
            LargestProcessBytes = 3, MinorFaults = 7, MajorFaults = 8, Swaps = 9, BlocksIn = 10, BlocksOut = 11, MessagesSent = 12, MessagesReceived = 13, Signals = 14,
            VoluntarySwitches = 15, InvoluntarySwitches = 16,
        },
    };

    [Test]
    public async Task Everything_missing_is_told_at_once()
    {
        await using var bench = new ActionBench();
        var absentFile = Digest.Of(DigestFunction.Sha256, "absent file"u8);
        var absentDirectory = Digest.Of(DigestFunction.Sha256, "absent directory"u8);
        var absentCommand = Digest.Of(DigestFunction.Sha256, "absent command"u8);
        var root = new WireDirectory
        {
            Files = { ActionBench.File("f", absentFile) },
            Directories = { new DirectoryNode { Name = "d", Digest = absentDirectory.ToWire() } },
        };
        var lease = bench.Lease(Plain, root, action => action.CommandDigest = absentCommand.ToWire());

        var report = await bench.RunAsync(ScriptedSandbox.Exits(0), lease);

        Assert.That((StatusCode)report.Status.Code, Is.EqualTo(StatusCode.FailedPrecondition));
        var failure = report.Status.Details.Single().Unpack<PreconditionFailure>();
        Assert.That(failure.Violations.Select(violation => violation.Type), Is.All.EqualTo("MISSING"));
        Assert.That(
            failure.Violations.Select(violation => violation.Subject),
            Is.EquivalentTo(new[] { absentFile, absentDirectory, absentCommand }.Select(digest => $"blobs/{digest}")));
    }

    [Test]
    public async Task A_missing_action_is_one_violation()
    {
        await using var bench = new ActionBench();
        var lease = bench.Lease(Plain);
        var digest = Digest.Of(DigestFunction.Sha256, "no action"u8);
        lease.ActionDigest = digest.ToWire();

        var report = await bench.RunAsync(ScriptedSandbox.Exits(0), lease);

        var failure = report.Status.Details.Single().Unpack<PreconditionFailure>();
        Assert.That(failure.Violations.Single().Subject, Is.EqualTo($"blobs/{digest}"));
    }

    [Test]
    public async Task A_timeout_keeps_what_was_written_until_then()
    {
        await using var bench = new ActionBench();
        var sandbox = ScriptedSandbox.Ends(new SandboxReport { Outcome = SandboxOutcome.TimedOut, ExitCode = 137 }, "so far");

        var report = await bench.RunAsync(sandbox, bench.Lease(Plain));

        Assert.That((StatusCode)report.Status.Code, Is.EqualTo(StatusCode.DeadlineExceeded));
        Assert.That(report.InlineResult.StdoutRaw.ToStringUtf8(), Is.EqualTo("so far"));
        Assert.That(sandbox.LastSpec!.Limits.Timeout, Is.EqualTo(TimeSpan.FromMinutes(1)));
    }

    [TestCase(true, "the timeout of 3 s that its action sets")]
    [TestCase(false, "60 s, this server's limit (--action-timeout)")]
    public async Task F26_a_timeout_says_whose_limit_it_was(bool isActions, string words)
    {
        await using var bench = new ActionBench();
        var lease = bench.Lease(Plain, adjust: action => action.Timeout = isActions ? Google.Protobuf.WellKnownTypes.Duration.FromTimeSpan(TimeSpan.FromSeconds(3)) : null);
        if (isActions) lease.Timeout = Google.Protobuf.WellKnownTypes.Duration.FromTimeSpan(TimeSpan.FromSeconds(3));

        var report = await bench.RunAsync(ScriptedSandbox.Ends(new SandboxReport { Outcome = SandboxOutcome.TimedOut, ExitCode = 137 }), lease);

        Assert.That(report.Status.Message, Does.Contain(words));
    }

    [Test]
    public async Task A_signal_is_a_result_and_the_message_names_it()
    {
        await using var bench = new ActionBench();
        var sandbox = ScriptedSandbox.Ends(new SandboxReport { Outcome = SandboxOutcome.Signaled, ExitCode = 139, Signal = 11 });

        var report = await bench.RunAsync(sandbox, bench.Lease(Plain));

        Assert.That((StatusCode)report.Status.Code, Is.EqualTo(StatusCode.OK));
        Assert.That(report.InlineResult.ExitCode, Is.EqualTo(139));
        Assert.That(report.Message, Does.Contain("signal 11").And.Contain("bench"));
    }

    [TestCase(SandboxOutcome.MemoryLimit, StatusCode.ResourceExhausted, Blame.Action)]
    [TestCase(SandboxOutcome.ProgramNotFound, StatusCode.FailedPrecondition, Blame.Client)]
    [TestCase(SandboxOutcome.ProgramNotRunnable, StatusCode.FailedPrecondition, Blame.Client)]
    [TestCase(SandboxOutcome.WorkingDirectoryInvalid, StatusCode.InvalidArgument, Blame.Client)]
    [TestCase(SandboxOutcome.SpecInvalid, StatusCode.InvalidArgument, Blame.Client)]
    [TestCase(SandboxOutcome.SetupFailed, StatusCode.Internal, Blame.Worker)]
    [TestCase(SandboxOutcome.LauncherLost, StatusCode.Unavailable, Blame.Worker)]
    [TestCase(SandboxOutcome.OutputLost, StatusCode.Unavailable, Blame.Worker)]
    public async Task An_outcome_has_its_code_and_its_blame(SandboxOutcome outcome, StatusCode code, Blame blame)
    {
        await using var bench = new ActionBench();
        var report = await bench.RunAsync(
            ScriptedSandbox.Ends(new SandboxReport { Outcome = outcome, Detail = "the detail" }), bench.Lease(Plain));

        Assert.That((StatusCode)report.Status.Code, Is.EqualTo(code));
        Assert.That(report.Blame, Is.EqualTo(blame));
        Assert.That(report.Status.Message, Does.Contain("the detail"));
        Assert.That(report.Status.Details, Is.Empty, "nothing here may look like a missing blob");
    }

    [Test]
    public async Task A_missing_program_is_named_with_its_path()
    {
        await using var bench = new ActionBench();
        var command = new WireCommand
        {
            Arguments = { "no-such-tool" },
            EnvironmentVariables = { new Command.Types.EnvironmentVariable { Name = "PATH", Value = "/nowhere" } },
        };
        var report = await bench.RunAsync(
            ScriptedSandbox.Ends(new SandboxReport { Outcome = SandboxOutcome.ProgramNotFound }), bench.Lease(command));

        Assert.That(report.Status.Message, Does.Contain("no-such-tool").And.Contain("PATH=/nowhere"));
    }

    [Test]
    public async Task The_environment_is_the_commands_own_over_documented_defaults()
    {
        await using var bench = new ActionBench();
        var sandbox = ScriptedSandbox.Exits(0);
        var command = new WireCommand
        {
            Arguments = { "tool" },
            EnvironmentVariables =
            {
                new Command.Types.EnvironmentVariable { Name = "HOME", Value = "/mine" },
                new Command.Types.EnvironmentVariable { Name = "KEY", Value = "value" },
            },
        };

        await bench.RunAsync(sandbox, bench.Lease(command));

        var environment = sandbox.LastSpec!.Environment.ToDictionary();
        Assert.That(environment.Keys, Is.EquivalentTo(["PATH", "HOME", "TMPDIR", "KEY"]));
        Assert.That(environment["HOME"], Is.EqualTo("/mine"));
        Assert.That(environment["PATH"], Does.Contain("/usr/bin"));
    }

    [Test]
    public async Task A_working_directory_outside_of_the_input_tree_is_invalid()
    {
        await using var bench = new ActionBench();
        var command = new WireCommand { Arguments = { "tool" }, WorkingDirectory = "not/there", OutputPaths = { "o" } };

        var report = await bench.RunAsync(ScriptedSandbox.Exits(0), bench.Lease(command));

        Assert.That((StatusCode)report.Status.Code, Is.EqualTo(StatusCode.InvalidArgument));
    }

    [Test]
    public async Task Parents_of_outputs_exist_before_the_command_and_outputs_do_not()
    {
        await using var bench = new ActionBench();
        var command = new WireCommand { Arguments = { "tool" }, OutputPaths = { "a/b/file", "tree" } };
        var sandbox = ScriptedSandbox.Exits(0, path =>
        {
            Assert.That(Directory.Exists(Path.Combine(path, "a/b")));
            Assert.That(Path.Exists(Path.Combine(path, "tree")), Is.False);
        });

        var report = await bench.RunAsync(sandbox, bench.Lease(command));
        Assert.That((StatusCode)report.Status.Code, Is.EqualTo(StatusCode.OK));
    }

    [Test]
    public async Task A_link_where_an_output_directory_should_be_made_is_not_followed()
    {
        await using var bench = new ActionBench();
        using var outside = new TemporaryFolder();
        string climb = string.Concat(Enumerable.Repeat("../", 40)) + outside.Path[1..];
        var root = new WireDirectory { Symlinks = { new SymlinkNode { Name = "a", Target = climb } } };
        var command = new WireCommand { Arguments = { "tool" }, OutputPaths = { "a/b/file" } };

        var report = await bench.RunAsync(ScriptedSandbox.Exits(0), bench.Lease(command, root));

        Assert.That((StatusCode)report.Status.Code, Is.EqualTo(StatusCode.InvalidArgument));
        Assert.That(Directory.EnumerateFileSystemEntries(outside.Path), Is.Empty);
    }

    [TestCase("tampered with")]
    [TestCase("ORIGINAL", Description = "the same size")]
    public async Task An_altered_input_fails_the_attempt_blames_the_worker_and_is_given_to_nobody_else(string content)
    {
        await using var bench = new ActionBench();
        var digest = bench.Put("original");
        var root = new WireDirectory { Files = { ActionBench.File("input", digest) } };
        var sandbox = ScriptedSandbox.Exits(0, path =>
        {
            string input = Path.Combine(path, "input");
            File.WriteAllText(input, content);
        });

        var report = await bench.RunAsync(sandbox, bench.Lease(Plain, root));

        Assert.That((StatusCode)report.Status.Code, Is.EqualTo(StatusCode.Internal));
        Assert.That(report.Status.Message, Does.Contain("input"));
        Assert.That(report.InlineResult, Is.Null);
        Assert.That(bench.Store.Has(digest), Is.False);
    }

    [Test]
    public async Task An_input_that_another_action_keeps_locked_is_looked_at_all_the_same()
    {
        await using var bench = new ActionBench();
        var root = new WireDirectory { Files = { ActionBench.File("input", bench.Put("original")) } };
        FileStream? otherAction = null;
        var sandbox = ScriptedSandbox.Exits(0, path =>
        {
            File.WriteAllText(Path.Combine(path, "input"), "ORIGINAL");
            otherAction = new FileStream(Path.Combine(path, "input"), FileMode.Open, FileAccess.Read, FileShare.None); // flock(2)
        });

        var report = await bench.RunAsync(sandbox, bench.Lease(Plain, root));

        await otherAction!.DisposeAsync();
        Assert.That((StatusCode)report.Status.Code, Is.EqualTo(StatusCode.Internal), report.Status.Message);
    }

    [Test]
    public async Task Replacing_an_input_is_the_actions_right()
    {
        await using var bench = new ActionBench();
        var digest = bench.Put("original");
        var root = new WireDirectory { Files = { ActionBench.File("input", digest) } };
        var sandbox = ScriptedSandbox.Exits(0, path =>
        {
            // With a second link, as compilers' caches do: still nothing of ours.
            File.Delete(Path.Combine(path, "input"));
            File.WriteAllText(Path.Combine(path, "input"), "a new one");
            Native.HardLink(Path.Combine(path, "input"), Path.Combine(path, "second"));
        });

        var report = await bench.RunAsync(sandbox, bench.Lease(Plain, root));

        Assert.That((StatusCode)report.Status.Code, Is.EqualTo(StatusCode.OK), report.Status.Message);
        Assert.That(File.ReadAllText(bench.Store.PathOf(digest)), Is.EqualTo("original"));
    }

    [Test]
    public async Task A_log_beyond_the_inline_size_is_a_blob()
    {
        await using var bench = new ActionBench { OutputLimits = new OutputLimits { InlineLogBytesMax = 16 } };
        string text = new('x', 300_000);
        var sandbox = ScriptedSandbox.Ends(new SandboxReport { Outcome = SandboxOutcome.Exited }, text);

        var report = await bench.RunAsync(sandbox, bench.Lease(Plain));

        Assert.That(report.InlineResult.StdoutRaw, Is.Empty);
        Assert.That(Digest.TryParse(DigestFunction.Sha256, report.InlineResult.StdoutDigest.Hash, report.InlineResult.StdoutDigest.SizeBytes, out var digest, out _));
        string stored = await File.ReadAllTextAsync(bench.Store.PathOf(digest));
        Assert.That(stored, Is.EqualTo(text));
        Assert.That(report.Message, Is.Empty);
    }

    [TestCase(1000, 1000, 0)]
    [TestCase(1000, 1001, 0)]
    [TestCase(1000, 5003, 0)]
    [TestCase(300_001, 1_000_000, 7)]
    [TestCase(300_001, 300_002, 100_000)]
    public async Task F16_a_log_that_is_too_long_keeps_its_head_and_its_tail_and_the_message_says_what_is_missing(int bytesMax, int written, int piece)
    {
        await using var bench = new ActionBench { OutputLimits = new OutputLimits { LogBytesMax = bytesMax, InlineLogBytesMax = 0 } };
        byte[] text = [.. Enumerable.Range(0, written).Select(number => (byte)('a' + (number % 23)))];
        var sandbox = new ScriptedSandbox((_, output, _) =>
        {
            output.Started();
            for (int offset = 0; offset < written; offset += piece == 0 ? written : piece)
                output.Write(OutputStream.Stderr, text.AsSpan(offset, Math.Min(piece == 0 ? written : piece, written - offset)));
            return ValueTask.FromResult(new SandboxReport { Outcome = SandboxOutcome.Exited, ExitCode = 1 });
        });

        var report = await bench.RunAsync(sandbox, bench.Lease(Plain));

        int head = bytesMax - (bytesMax / 2), tail = bytesMax / 2, dropped = written - bytesMax;
        byte[] stored = await File.ReadAllBytesAsync(bench.Store.PathOf(WireDigests.FromWire(report.InlineResult.StderrDigest, DigestFunction.Sha256, "stderr")));
        Assert.That(stored.AsSpan().SequenceEqual([.. text[..head], .. text[^tail..]]));
        Assert.That((report.Usage.StderrDroppedBytes, report.Usage.StdoutDroppedBytes), Is.EqualTo((dropped, 0)));
        Assert.That(report.Message, dropped == 0 ? Is.Empty : Is.EqualTo($"stderr was too long: {dropped} bytes after the first {head} are missing, its end is kept"));
        if (dropped > 0)
        {
            var told = report.InlineResult.ExecutionMetadata.AuxiliaryMetadata.Single().Unpack<Google.Protobuf.WellKnownTypes.Struct>();
            Assert.That((told.Fields["stderrDroppedBytes"].NumberValue, told.Fields["logHeadBytes"].NumberValue), Is.EqualTo((dropped, head)));
        }
    }

    [Test]
    public async Task A_log_that_could_not_be_kept_is_no_result_and_blames_the_worker()
    {
        await using var bench = new ActionBench();
        var sandbox = new ScriptedSandbox((spec, output, _) =>
        {
            // Where the log goes when it outgrows memory there is something already.
            Directory.CreateDirectory(Path.Combine(spec.InputRootPath, "../stdout"));
            int failures = 0;
            for (int i = 0; i < 3; i++)
            {
                try
                {
                    output.Write(OutputStream.Stdout, new byte[100_000]);
                }
                catch (Exception full) when (full is IOException or UnauthorizedAccessException)
                {
                    failures++;
                }
            }

            Assert.That(failures, Is.EqualTo(2), "after a gap nothing is taken");
            return ValueTask.FromResult(new SandboxReport { Outcome = SandboxOutcome.Exited });
        });

        var report = await bench.RunAsync(sandbox, bench.Lease(Plain));

        Assert.That(((StatusCode)report.Status.Code, report.Blame), Is.EqualTo((StatusCode.Unavailable, Blame.Worker)), report.Status.Message);
        Assert.That(report.InlineResult, Is.Null);
    }

    [Test]
    public async Task A_stage_that_fails_in_a_way_that_nobody_thought_of_is_reported_all_the_same()
    {
        await using var bench = new ActionBench();
        var sandbox = new ScriptedSandbox((_, _, _) => throw new NotSupportedException("hm"));

        var report = await bench.RunAsync(sandbox, bench.Lease(Plain));

        Assert.That(((StatusCode)report.Status.Code, report.Blame), Is.EqualTo((StatusCode.Internal, Blame.Worker)));
    }

    [Test]
    public async Task A_stopped_attempt_is_over_before_its_work_directory_is_given_back()
    {
        await using var bench = new ActionBench();
        using var cancel = new CancellationTokenSource();
        var sandbox = new ScriptedSandbox((_, _, _) =>
        {
            cancel.Cancel();
            return ValueTask.FromResult(new SandboxReport { Outcome = SandboxOutcome.Killed });
        });

        var stopped = await bench.Runner(sandbox).RunAsync(bench.Lease(Plain), _ => { }, cancel.Token);

        Assert.That((stopped.Report is null, stopped.Remains is null), Is.EqualTo((true, false)), "what it left is for whoever told that it is dead");
        await stopped.DisposeAsync();
        await bench.SettleAsync();
        Assert.That(Directory.EnumerateFileSystemEntries(bench.WorkPath), Is.Empty);
    }

    [Test]
    public async Task A_tree_with_an_absolute_link_is_invalid()
    {
        await using var bench = new ActionBench();
        var root = new WireDirectory { Symlinks = { new SymlinkNode { Name = "l", Target = "/etc/passwd" } } };

        var report = await bench.RunAsync(ScriptedSandbox.Exits(0), bench.Lease(Plain, root));

        Assert.That((StatusCode)report.Status.Code, Is.EqualTo(StatusCode.InvalidArgument));
    }

    [Test]
    public async Task A_tree_that_expands_beyond_its_budget_is_refused()
    {
        await using var bench = new ActionBench { Limits = new Limits { Tree = new TreeLimits { EntriesMax = 1000 } } };
        // Twenty directories, each naming the one before twice: a million paths from twenty small blobs.
        var level = new WireDirectory();
        for (int i = 0; i < 20; i++)
        {
            var child = bench.Put(level).ToWire();
            level = new WireDirectory
            {
                Directories = { new DirectoryNode { Name = "a", Digest = child }, new DirectoryNode { Name = "b", Digest = child } },
            };
        }

        var report = await bench.RunAsync(ScriptedSandbox.Exits(0), bench.Lease(Plain, level));

        Assert.That((StatusCode)report.Status.Code, Is.EqualTo(StatusCode.ResourceExhausted));
    }

    [TestCase(17, StatusCode.InvalidArgument)] // 4,351 bytes
    [TestCase(13, StatusCode.OK)] // 3,327 bytes, the work directory comes on top
    public async Task A_path_that_cannot_be_made_is_the_clients_fault_and_one_that_can_is_made(int levels, StatusCode expected)
    {
        await using var bench = new ActionBench();
        var level = new WireDirectory();
        for (int i = 0; i < levels; i++)
            level = new WireDirectory { Directories = { new DirectoryNode { Name = new string('字', 85), Digest = bench.Put(level).ToWire() } } };

        var report = await bench.RunAsync(ScriptedSandbox.Exits(0), bench.Lease(Plain, level));

        Assert.That((StatusCode)report.Status.Code, Is.EqualTo(expected), report.Status.Message);
    }

    [TestCase(256, StatusCode.OK)]
    [TestCase(257, StatusCode.ResourceExhausted)]
    public async Task A_tree_is_made_up_to_the_last_level_that_the_coordinator_admits(int levels, StatusCode expected)
    {
        await using var bench = new ActionBench();
        var level = new WireDirectory();
        for (int i = 1; i < levels; i++)
            level = new WireDirectory { Directories = { new DirectoryNode { Name = "d", Digest = bench.Put(level).ToWire() } } };

        var report = await bench.RunAsync(ScriptedSandbox.Exits(0), bench.Lease(Plain, level));

        Assert.That((StatusCode)report.Status.Code, Is.EqualTo(expected), report.Status.Message);
    }

    [Test]
    public async Task A_nonzero_exit_still_brings_its_outputs()
    {
        await using var bench = new ActionBench();
        var sandbox = ScriptedSandbox.Exits(3, path => File.WriteAllText(Path.Combine(path, "out/result"), "log"));

        var report = await bench.RunAsync(sandbox, bench.Lease(Plain));

        Assert.That(report.InlineResult.ExitCode, Is.EqualTo(3));
        Assert.That(report.InlineResult.OutputFiles, Has.Count.EqualTo(1));
    }
}
