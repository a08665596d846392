using NUnit.Framework;
using RemoteExec.Protocol;

namespace RemoteExec.Services.Tests.Protocol;

internal sealed class ActionPathTests
{
    [TestCase("", "", "")]
    [TestCase("", "a/b", "a/b")]
    [TestCase("w", "", "w")]
    [TestCase("w", "a", "w/a")]
    [TestCase("w/x", "../a", "w/a")]
    [TestCase("w/x", "../..", "")]
    [TestCase("", "./a/./b/../c", "a/c")]
    public void Paths_are_resolved_by_their_text(string directory, string path, string expected)
    {
        Assert.That(ActionPath.TryResolve(directory, path, out string resolved, out _));
        Assert.That(resolved, Is.EqualTo(expected));
    }

    [TestCase("", "..")]
    [TestCase("w", "../..")]
    [TestCase("w", "a/../../../x")]
    public void Leaving_the_root_is_refused(string directory, string path) =>
        Assert.That(ActionPath.TryResolve(directory, path, out _, out _), Is.False);
}
