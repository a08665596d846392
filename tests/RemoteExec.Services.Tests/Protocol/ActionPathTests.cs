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

    [Test] // two that fit may make one that does not
    public void What_is_too_long_once_it_is_joined_is_refused()
    {
        string half = string.Join('/', Enumerable.Repeat(new string('x', 99), 18));

        Assert.That(ActionPath.TryResolve("", half, out _, out _));
        Assert.That(ActionPath.TryResolve(half, half, out _, out string? error), Is.False);
        Assert.That(error, Does.Contain("3500 bytes"));
    }
}
