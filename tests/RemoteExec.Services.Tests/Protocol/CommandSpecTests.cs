using Build.Bazel.Remote.Execution.V2;
using Google.Protobuf;
using Grpc.Core;
using NUnit.Framework;
using RemoteExec.Protocol;

namespace RemoteExec.Services.Tests.Protocol;

#pragma warning disable CS0612 // The old output lists are what is tested here.

/// <summary>One model of outputs, whichever generation of fields a client used.</summary>
internal sealed class CommandSpecTests
{
    private static CommandSpec Parse(Action<WireCommand> change)
    {
        var command = new WireCommand { Arguments = { "cc" } };
        change(command);
        byte[] blob = command.ToByteArray();
        return CommandSpec.Parse(blob, Digest.Of(DigestFunction.Sha256, blob));
    }

    [Test] // REAPI X5
    public void Output_paths_silence_the_old_lists()
    {
        var spec = Parse(command =>
        {
            command.OutputPaths.Add("a.o");
            command.OutputFiles.Add("a.o");
            command.OutputDirectories.Add("d");
        });

        Assert.That(spec.Outputs.Paths, Is.EqualTo(new[] { new OutputPath("a.o", "a.o", OutputKind.Any) }));
        Assert.That(spec.Outputs.IsLegacy, Is.False);
    }

    [Test] // REAPI X4, X5, X7
    public void Old_lists_keep_their_kinds_and_paths_are_relative_to_the_working_directory()
    {
        var spec = Parse(command =>
        {
            command.WorkingDirectory = "work/./here";
            command.OutputFiles.Add("../beside/a.o");
            command.OutputDirectories.Add("");
        });

        Assert.That(spec.WorkingDirectory, Is.EqualTo("work/here"));
        Assert.That(spec.Outputs.Paths, Is.EqualTo(new[]
        {
            new OutputPath("../beside/a.o", "work/beside/a.o", OutputKind.File),
            new OutputPath("", "work/here", OutputKind.Directory),
        }));
        Assert.That(spec.Outputs.IsLegacy);
    }

    [Test] // REAPI X5
    public void F29_parents_are_made_and_output_directories_only_for_clients_that_count_on_it()
    {
        var modern = Parse(command => command.OutputPaths.Add("a/b/c"));
        var legacy = Parse(command => command.OutputDirectories.Add("a/b/c"));

        Assert.That(legacy.Outputs.DirectoriesToCreate(withOutputDirectories: false), Is.EqualTo(new[] { "a/b" }));
        Assert.That(legacy.Outputs.DirectoriesToCreate(withOutputDirectories: true), Is.EqualTo(new[] { "a/b", "a/b/c" }));
        Assert.That(modern.Outputs.DirectoriesToCreate(withOutputDirectories: true), Is.EqualTo(new[] { "a/b" }));
    }

    [TestCase("bazel", "4.2.3", true)]
    [TestCase("bazel", "4.2.3- (@non-git)", true)]
    [TestCase("bazel", "release 2.1.0", true)]
    [TestCase("bazel", "5.4.1", true)]
    [TestCase("bazel", "6.0.0", false)]
    [TestCase("bazel", "10.0.0", false)]
    [TestCase("bazel", "", true)]
    [TestCase("bazel", "no_version", true)]
    [TestCase("pants", "2.33", false)]
    [TestCase("pants", "", false)]
    public void F29_Bazel_before_6_or_without_a_version_is_the_client_that_counts_on_it(string tool, string version, bool expects) => Assert.That(
        OutputHabits.ExpectsOutputDirectories(new RequestMetadata { ToolDetails = new ToolDetails { ToolName = tool, ToolVersion = version } }), Is.EqualTo(expects));

    [TestCase(".")]
    [TestCase("./a")]
    [TestCase("a/./b")]
    [TestCase("a/.")]
    public void A_dot_is_no_element_of_an_output_file_s_path(string path)
    {
        var refusal = Assert.Throws<RpcException>(() => Parse(command => command.OutputFiles.Add(path)));

        Assert.That(refusal!.StatusCode, Is.EqualTo(StatusCode.InvalidArgument));
        Assert.That(refusal.Status.Detail, Does.Contain("'.'"));
    }

    [Test]
    public void F28_an_output_that_is_announced_twice_is_refused_with_both_lists()
    {
        var refusal = Assert.Throws<RpcException>(() => Parse(command => { command.OutputFiles.Add("a"); command.OutputDirectories.Add("./a"); }));

        Assert.That(refusal!.Status.Detail, Does.Contain("'a' of output_files").And.Contain("'./a' of output_directories"));
    }

    [Test] // the protocol does not forbid it there
    public void A_dot_may_name_a_directory()
    {
        Assert.That(Parse(command => command.OutputDirectories.Add(".")).Outputs.Paths.Single().RootPath, Is.Empty);
        Assert.That(Parse(command => command.OutputPaths.Add("./a")).Outputs.Paths.Single().RootPath, Is.EqualTo("a"));
    }

    [Test] // TRUST 4.1: unsorted and nested directories are legal
    public void Unsorted_and_nested_outputs_are_accepted()
    {
        Assert.That(Parse(command => command.OutputDirectories.AddRange(["b", "a", "a/b"])).Outputs.Paths, Has.Length.EqualTo(3));
        Assert.That(Parse(command => command.OutputPaths.AddRange(["z", "a/b", "a"])).Outputs.Paths, Has.Length.EqualTo(3));
    }

    private static IEnumerable<TestCaseData> BadCommands()
    {
        TestCaseData Case(string name, Action<WireCommand> change) => new TestCaseData(change).SetArgDisplayNames(name);
        foreach (string path in new[] { "/abs", "..", "../x", "a/../../x", "a//b", "a/", "/", "a\0b", new('a', 256), string.Join('/', Enumerable.Repeat("abcdefg", 600)) })
        {
            string shown = path.Length > 40 ? $"{path.Length} characters" : path.Replace("\0", "NUL", StringComparison.Ordinal);
            yield return Case($"output_paths {shown}", command => command.OutputPaths.Add(path));
            yield return Case($"output_files {shown}", command => command.OutputFiles.Add(path));
            yield return Case($"output_directories {shown}", command => command.OutputDirectories.Add(path));
            yield return Case($"working_directory {shown}", command => command.WorkingDirectory = path);
        }

        yield return Case("empty output file", command => command.OutputFiles.Add(""));
        yield return Case("output twice", command => command.OutputPaths.AddRange(["a", "a"]));
        yield return Case("output twice by another spelling", command => command.OutputPaths.AddRange(["a", "./b/../a"]));
        yield return Case("file and directory of one name", command => { command.OutputFiles.Add("a"); command.OutputDirectories.Add("a"); });
        yield return Case("output below an output file", command => command.OutputFiles.AddRange(["a", "a/b"]));
        yield return Case("directory below an output file", command => { command.OutputFiles.Add("a"); command.OutputDirectories.Add("a/b/c"); });
        yield return Case("no arguments", command => command.Arguments.Clear());
        yield return Case("empty program", command => command.Arguments[0] = "");
        yield return Case("NUL in an argument", command => command.Arguments.Add("a\0b"));
        yield return Case("variable without a name", command => command.EnvironmentVariables.Add(new WireCommand.Types.EnvironmentVariable { Value = "x" }));
        yield return Case("variable with an equals sign", command => command.EnvironmentVariables.Add(new WireCommand.Types.EnvironmentVariable { Name = "A=B" }));
        yield return Case("NUL in a variable", command => command.EnvironmentVariables.Add(new WireCommand.Types.EnvironmentVariable { Name = "A", Value = "\0" }));
        yield return Case("variable twice", command => command.EnvironmentVariables.AddRange(
            [new WireCommand.Types.EnvironmentVariable { Name = "A" }, new WireCommand.Types.EnvironmentVariable { Name = "A", Value = "2" }]));
        yield return Case("unknown node property", command => command.OutputNodeProperties.Add("colour"));
    }

    [TestCaseSource(nameof(BadCommands))] // REAPI E3, X2, X4, X13, TRUST 4.1
    public void A_bad_command_is_INVALID_ARGUMENT(Action<WireCommand> change) =>
        Assert.That(Assert.Throws<RpcException>(() => Parse(change))!.StatusCode, Is.EqualTo(StatusCode.InvalidArgument));

    [Test] // REAPI X10
    public void An_unknown_directory_format_means_a_tree()
    {
        var spec = Parse(command => command.OutputDirectoryFormat = (WireCommand.Types.OutputDirectoryFormat)9);

        Assert.That(spec.WantsDirectories, Is.False);
    }

    private static IEnumerable<TestCaseData> BrokenText()
    {
        yield return new TestCaseData((object)new byte[] { 0xff }).SetArgDisplayNames("a byte that never occurs");
        yield return new TestCaseData((object)new byte[] { 0xc3, (byte)'a' }).SetArgDisplayNames("a lead without its tail");
        yield return new TestCaseData((object)new byte[] { 0xf0, 0x9f, 0x98 }).SetArgDisplayNames("a cut sequence of four");
        yield return new TestCaseData((object)new byte[] { 0xed, 0xa0, 0x80 }).SetArgDisplayNames("a surrogate");
    }

    [TestCaseSource(nameof(BrokenText))] // TRUST 4.1: the parser would turn it into another name
    public void Text_that_is_not_UTF8_is_INVALID_ARGUMENT(byte[] text)
    {
        byte[] blob = [0x0a, (byte)text.Length, .. text]; // arguments
        var refusal = Assert.Throws<RpcException>(() => CommandSpec.Parse(blob, Digest.Of(DigestFunction.Sha256, blob)));

        Assert.That(refusal!.StatusCode, Is.EqualTo(StatusCode.InvalidArgument));
    }

    [Test]
    public void A_real_replacement_character_is_text_like_any_other() =>
        Assert.That(Parse(command => command.Arguments.AddRange(["\uFFFD", "😀"])).Arguments[1], Is.EqualTo("\uFFFD"));
}
