using NUnit.Framework;
using RemoteExec.Core;
using RemoteExec.Scheduling;

namespace RemoteExec.Services.Tests;

/// <summary>Values as we print them ourselves, and as properties really look.</summary>
internal sealed class OperationFilterTests
{
    [TestCase("platform=resource:gpu:1", true)]
    [TestCase("platform=resource:gpu=1", true)]
    [TestCase("platform=image:docker://a:5000/b@sha256:77", true)]
    [TestCase("platform=image=docker://a:5000/b@sha256:77", true)]
    [TestCase("platform=flag:a=b", true)]
    [TestCase("platform=resource:gpu", false)]
    [TestCase("platform=resource:gpu=2", false)]
    [TestCase("platform=resource:gpu=11", false)]
    [TestCase("platform=image:docker", false)]
    public void A_property_is_found_whatever_stands_in_its_name_and_its_value(string filter, bool isFound) =>
        Assert.That(OperationFilter.Parse(filter).Matches(Operation()), Is.EqualTo(isFound));

    [Test]
    public void An_action_is_found_by_its_digest_as_it_is_printed([ValueSource(typeof(DigestFunctions), nameof(DigestFunctions.Supported))] DigestFunction function)
    {
        var digest = Digest.Of(function, "action"u8);
        string named = $"{function.WireName()}/{digest.Hash}/{digest.SizeBytes}";
        foreach (string value in (string[])[digest.ToString(), digest.Hash, named, named.Replace('/', ':'), $"{digest.Hash}:{digest.SizeBytes}"])
            Assert.That(OperationFilter.Parse($"action_digest={value}").Matches(Operation(digest)), Is.True, value);

        foreach (string value in (string[])[$"{digest}0", digest.Hash[1..], $"vso/{digest.Hash}/{digest.SizeBytes}"])
            Assert.That(OperationFilter.Parse($"action_digest={value}").Matches(Operation(digest)), Is.False, value);
    }

    private static OperationSnapshot Operation(Digest action = default) => new()
    {
        Name = "operations/1",
        Execution = default,
        Request = new ExecutionRequest { Instance = InstanceName.Empty, Action = action, Platform = Properties() },
        Stage = OperationStage.Queued,
        CreatedAt = default,
        QueuedAt = default,
    };

    private static Platform Properties() => Platform.TryCreate(
        [new("resource:gpu", "1"), new("image", "docker://a:5000/b@sha256:77"), new("flag", "a=b")], out var platform, out string? error)
        ? platform
        : throw new ArgumentException(error);
}
