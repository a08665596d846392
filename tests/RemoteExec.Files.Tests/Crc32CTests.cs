using NUnit.Framework;

namespace RemoteExec.Files.Tests;

[TestFixture]
internal sealed class Crc32CTests
{
    /// <summary>The examples of RFC 3720, appendix B.4, and the usual check value.</summary>
    [Test]
    public void The_published_values_come_out()
    {
        Assert.That(Crc32C.Of("123456789"u8), Is.EqualTo(0xE3069283));
        Assert.That(Crc32C.Of(new byte[32]), Is.EqualTo(0x8A9136AA));
        Assert.That(Crc32C.Of(Enumerable.Repeat((byte)0xff, 32).ToArray()), Is.EqualTo(0x62A8AB43));
        Assert.That(Crc32C.Of(Enumerable.Range(0, 32).Select(value => (byte)value).ToArray()), Is.EqualTo(0x46DD794E));
    }

    [Test]
    public void Parts_give_the_same_as_the_whole()
    {
        byte[] data = Enumerable.Range(0, 100).Select(value => (byte)(value * 7)).ToArray();
        for (int cut = 0; cut <= data.Length; cut++)
        {
            uint parts = ~Crc32C.Update(Crc32C.Update(Crc32C.Seed, data.AsSpan(0, cut)), data.AsSpan(cut));
            Assert.That(parts, Is.EqualTo(Crc32C.Of(data)));
        }
    }
}
