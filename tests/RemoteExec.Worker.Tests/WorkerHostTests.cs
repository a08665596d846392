using System.Collections;
using Grpc.Core;
using Microsoft.Extensions.Logging.Abstractions;
using NUnit.Framework;
using RemoteExec.Hosting;

namespace RemoteExec.Worker.Tests;

/// <summary>What an operator reads when a worker cannot go on, and how it exits.</summary>
public sealed class WorkerHostTests
{
    [TestCase(StatusCode.InvalidArgument, ExitCode.Refused)]
    [TestCase(StatusCode.Unimplemented, ExitCode.Refused)]
    [TestCase(StatusCode.Unavailable, ExitCode.Unavailable)]
    public void A_coordinator_that_refuses_is_told_from_one_that_is_away(StatusCode code, int exitCode)
    {
        var refusal = Explain(new RpcException(new Grpc.Core.Status(code, "its own words")));

        Assert.That(refusal?.ExitCode, Is.EqualTo(exitCode));
        Assert.That(refusal?.Sentence, Does.Contain("its own words"));
    }

    [Test]
    public void A_disk_that_fails_is_said_with_the_option_that_names_it() =>
        Assert.That(Explain(new IOException("No space left on device"))?.Sentence, Is.EqualTo("No space left on device; check --data-dir /data"));

    [Test]
    public void A_directory_with_files_of_somebody_else_is_refused_and_left_alone()
    {
        using var folder = new TemporaryFolder();
        string letter = Path.Combine(folder.Path, "letter.txt");
        File.WriteAllText(letter, "precious");
        var flags = WorkerFlags.Table.Read(["--data-dir", folder.Path], new Hashtable()).Options!; // they are right

        Assert.That(() => RunningWorker.CreateAsync(flags, metrics: null, TimeProvider.System, NullLoggerFactory.Instance, default),
            Throws.TypeOf<WorkerRefusedException>().With.Message.Contains("letter.txt").And.Message.Contains("--data-dir"));
        Assert.That(Directory.EnumerateFileSystemEntries(folder.Path), Is.EqualTo(new[] { letter }));
    }

    [Test]
    public void A_bug_has_no_remedy() => Assert.That(Explain(new InvalidOperationException()), Is.Null);

    private static Refusal? Explain(Exception failure) =>
        new WorkerHost().Explain(failure, WorkerFlags.Table.Read(["--data-dir", "/data"], new Hashtable()).Options!); // they are right
}
