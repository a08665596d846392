using NUnit.Framework;

namespace RemoteExec.EndToEnd;

/// <summary>The end-to-end tests believe what this reads, so it is checked against lines that Bazel printed.</summary>
public sealed class ProcessSummaryTests
{
    [TestCase("INFO: 324 processes: 75 internal, 249 remote.", 249, 0, 249)]
    [TestCase("INFO: 324 processes: 249 remote cache hit, 75 internal.", 0, 249, 249)]
    [TestCase("INFO: 249 processes: 249 remote.", 249, 0, 249)]
    [TestCase("INFO: 1 process: 1 internal.", 0, 0, 0)]
    [TestCase("INFO: 0 processes.", 0, 0, 0)]
    [TestCase("INFO: 9 processes: 2 local, 3 remote cache hit, 4 remote.", 4, 3, 9)]
    public void The_line_of_either_version_is_read(string line, int remote, int hits, int actions)
    {
        var summary = ProcessSummary.Find($"INFO: Elapsed time: 1s\n{line}\nINFO: Build completed\n");

        Assert.That((summary?.Remote, summary?.RemoteCacheHits, summary?.Actions), Is.EqualTo((remote, hits, actions)));
    }

    [TestCase("INFO: 2 processes: 1 linux-sandbox, 1 remote.", "linux-sandbox")]
    [TestCase("INFO: 2 processes: 1 remote, 1 processwrapper-sandbox.", "processwrapper-sandbox")]
    public void What_did_not_go_to_the_server_is_named(string line, string runner)
    {
        Assert.That(ProcessSummary.Find(line)?.NotRemote, Is.EqualTo(new[] { runner }));
    }

    [Test]
    public void Of_several_lines_the_last_counts()
    {
        Assert.That(ProcessSummary.Find("INFO: 1 process: 1 remote.\nINFO: 2 processes: 2 remote.\n")?.Remote, Is.EqualTo(2));
    }

    [Test]
    public void Without_such_a_line_there_is_no_summary()
    {
        Assert.That(ProcessSummary.Find("ERROR: no such target\n"), Is.Null);
    }
}
