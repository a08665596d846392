using NUnit.Framework;

namespace RemoteExec.Storage.Tests;

internal sealed class OpenFilesTests
{
    // As proc(5) has it.
    [TestCase("1024", 1024)]
    [TestCase("unlimited", null)]
    public void The_soft_limit_is_what_counts(string soft, long? expected)
    {
        string[] limits =
        [
            "Limit                     Soft Limit           Hard Limit           Units     ",
            "Max processes             63000                63000                processes ",
            $"Max open files            {soft,-20} 524288               files     ",
        ];

        Assert.That(OpenFiles.ParseMax(limits), Is.EqualTo(expected));
    }
}
