using Build.Bazel.Remote.Execution.V2;
using Grpc.Core;
using NUnit.Framework;
using RemoteExec.Core;
using RemoteExec.Protocol.V1;
using RemoteExec.Worker.Sandbox;

namespace RemoteExec.Worker.Tests;

#pragma warning disable CS0612 // output_files and output_directories are deprecated on the wire and alive in clients

/// <summary>What a command announced, before it runs and afterwards.</summary>
public sealed class AnnouncedOutputTests
{
    [TestCase(3)]
    [TestCase(0)]
    public async Task F25_an_output_that_is_none_never_hides_what_the_command_had_to_say(int exitCode)
    {
        await using var bench = new ActionBench();
        var sandbox = new ScriptedSandbox((spec, output, _) =>
        {
            output.Started();
            output.Write(OutputStream.Stderr, "real problem"u8);
            Directory.CreateDirectory(Path.Combine(spec.InputRootPath, "x"));
            return ValueTask.FromResult(new SandboxReport { Outcome = SandboxOutcome.Exited, ExitCode = exitCode });
        });

        var report = await bench.RunAsync(sandbox, bench.Lease(new WireCommand { Arguments = { "tool" }, OutputFiles = { "x" } }));

        Assert.That((report.InlineResult?.ExitCode, report.InlineResult?.StderrRaw.ToStringUtf8()), Is.EqualTo((exitCode, "real problem")));
        Assert.That(report.Message, Does.Contain("the output \"x\" is a directory").Or.Contain("the output 'x' is a directory"));
        Assert.That(
            ((StatusCode)report.Status.Code, report.Blame),
            Is.EqualTo(exitCode == 0 ? (StatusCode.FailedPrecondition, Blame.Action) : (StatusCode.OK, Blame.Unspecified)));
    }

    [TestCase(3)]
    [TestCase(0)]
    public async Task F25_the_good_outputs_come_beside_a_bad_one(int exitCode)
    {
        await using var bench = new ActionBench();
        var sandbox = ScriptedSandbox.Exits(exitCode, root =>
        {
            Directory.CreateDirectory(Path.Combine(root, "x"));
            File.WriteAllText(Path.Combine(root, "x/none"), "nobody's");
            File.CreateSymbolicLink(Path.Combine(root, "x/z"), "/etc/hostname");
            File.WriteAllText(Path.Combine(root, "good"), "good");
            Directory.CreateDirectory(Path.Combine(root, "tree"));
            File.WriteAllText(Path.Combine(root, "tree/leaf"), "leaf");
        });

        var report = await bench.RunAsync(sandbox, bench.Lease(new WireCommand { Arguments = { "tool" }, OutputPaths = { "x", "good", "tree" } }));

        Assert.That(report.InlineResult.ExitCode, Is.EqualTo(exitCode));
        Assert.That(report.InlineResult.OutputFiles.Select(file => file.Path), Is.EqualTo(new[] { "good" }));
        Assert.That(report.InlineResult.OutputDirectories.Select(directory => directory.Path), Is.EqualTo(new[] { "tree" }));
        Assert.That(report.Message, Does.Contain("x/z").And.Contain("/etc/hostname"));
        Assert.That(
            ((StatusCode)report.Status.Code, report.Blame),
            Is.EqualTo(exitCode == 0 ? (StatusCode.FailedPrecondition, Blame.Action) : (StatusCode.OK, Blame.Unspecified)));
    }

    [TestCase(false, 0, "out/a")]
    [TestCase(false, 1, "out/b")]
    [TestCase(false, 2, "")]
    [TestCase(true, 0, "out/a")]
    [TestCase(true, 1, "out/b")]
    public async Task F05_what_became_of_the_announced_outputs_is_reported(bool legacy, int written, string missing)
    {
        await using var bench = new ActionBench();
        string[] paths = ["out/a", "out/b"];
        var command = new WireCommand { Arguments = { "tool" } };
        (legacy ? command.OutputFiles : command.OutputPaths).AddRange(paths);

        var report = await bench.RunAsync(
            ScriptedSandbox.Exits(0, root =>
            {
                foreach (string path in paths.Take(written)) File.CreateSymbolicLink(Path.Combine(root, path), "anywhere");
            }),
            bench.Lease(command));

        Assert.That(report.Outputs, Is.EqualTo(new AnnouncedOutputs { Announced = 2, Written = written, FirstMissing = missing }));
    }

    [Test] // its Test Encyclopedia
    public async Task F05_the_outputs_of_a_test_that_Bazel_runs_are_optional()
    {
        await using var bench = new ActionBench();
        var command = new WireCommand
        {
            Arguments = { "tool" },
            OutputPaths = { "test.xml" },
            EnvironmentVariables = { new WireCommand.Types.EnvironmentVariable { Name = "XML_OUTPUT_FILE", Value = "test.xml" } },
        };

        Assert.That((await bench.RunAsync(ScriptedSandbox.Exits(0), bench.Lease(command))).Outputs.Optional);
    }

    [TestCase("4.2.3", true)]
    [TestCase("7.0.0", false)]
    public async Task F29_a_command_makes_its_output_directory_itself_unless_its_rules_count_on_finding_it(string bazel, bool isMade)
    {
        await using var bench = new ActionBench();
        var lease = bench.Lease(new WireCommand { Arguments = { "tool" }, OutputDirectories = { "out/dd" } });
        lease.RequestMetadata = new RequestMetadata { ToolDetails = new ToolDetails { ToolName = "bazel", ToolVersion = bazel } };
        bool? found = null;

        await bench.RunAsync(ScriptedSandbox.Exits(0, root => found = Directory.Exists(Path.Combine(root, "out/dd")) && Directory.Exists(Path.Combine(root, "out"))), lease);

        Assert.That(found, Is.EqualTo(isMade));
    }
}
