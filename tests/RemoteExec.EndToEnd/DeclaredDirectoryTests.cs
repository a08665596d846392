using NUnit.Framework;

namespace RemoteExec.EndToEnd;

/// <summary>
/// Who makes a directory that an action announced: its command, as the protocol says; but before version 6 Bazel made it for actions that
/// it ran itself, and rules written for it count on that.
/// </summary>
[TestFixture("4.2.3")]
[TestFixture("2.1.0")]
public sealed class DeclaredDirectoryTests(string bazelVersion) : RemoteBuildFixture(bazelVersion)
{
    [Test]
    public async Task F29_a_rule_that_writes_into_its_declared_directory_without_making_it_is_green()
    {
        await Bazel.CleanAsync();

        (await BuildAsync("//tree:unmade")).ShouldExitWith(BazelResult.Success).ShouldHaveRunRemotely();

        Assert.That(await Bazel.ReadOutputAsync("tree/unmade/file.txt"), Is.EqualTo("found\n"));
    }

    [Test]
    public async Task F29_a_command_of_another_client_makes_its_directory_itself_and_finds_the_parents()
    {
        using var executor = new RawExecutor(Server.GrpcAddress);

        var result = await executor.ExecuteAsync(
            new RawAction("/bin/sh", "-c", "mkdir dd deep/er/dd && echo q > dd/f && echo made") { OutputDirectories = ["dd", "deep/er/dd"] });

        Assert.That((result.Status, result.ExitCode, result.Stdout), Is.EqualTo((RawStatus.Ok, 0L, "made\n")), result.Message);
    }
}
