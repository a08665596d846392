using NUnit.Framework;

namespace RemoteExec.Core.Tests;

public sealed class UnitTextTests
{
    [TestCase("0", 0)]
    [TestCase("1048576", 1048576)]
    [TestCase("10GB", 10_000_000_000)]
    [TestCase("10GiB", 10L << 30)]
    [TestCase("10gib", 10L << 30)]
    [TestCase("1.5 MB", 1_500_000)]
    [TestCase("512B", 512)]
    [TestCase("8191PiB", 8191L << 50)]
    [TestCase("9223372036854775807", long.MaxValue)]
    public void A_size_has_a_unit_or_is_bytes(string text, long sizeBytes)
    {
        Assert.That(UnitText.TryParseSize(text, out long parsed), Is.True);
        Assert.That(parsed, Is.EqualTo(sizeBytes));
    }

    [TestCase("")]
    [TestCase("GB")]
    [TestCase("-1GB")]
    [TestCase("1e9")]
    [TestCase("10,5GB")]
    [TestCase("10G")]
    [TestCase("8192PiB")]
    [TestCase("9223372036854775808")]
    [TestCase("99999999999999999999999999999999PB")]
    public void What_is_no_size_is_refused(string text) => Assert.That(UnitText.TryParseSize(text, out _), Is.False);

    [TestCase("100ms", 100)]
    [TestCase("30s", 30_000)]
    [TestCase("5m", 300_000)]
    [TestCase("1.5h", 5_400_000)]
    [TestCase("2d", 172_800_000)]
    [TestCase("0", 0)]
    public void A_duration_has_a_unit(string text, long milliseconds)
    {
        Assert.That(UnitText.TryParseDuration(text, out var duration), Is.True);
        Assert.That(duration, Is.EqualTo(TimeSpan.FromMilliseconds(milliseconds)));
    }

    [TestCase("")]
    [TestCase("30")]
    [TestCase("-5s")]
    [TestCase("5 minutes")]
    [TestCase("99999999999999d")]
    public void What_is_no_duration_is_refused(string text) => Assert.That(UnitText.TryParseDuration(text, out _), Is.False);

    [TestCase(0, "0B")]
    [TestCase(999, "999B")]
    [TestCase(1000, "1KB")]
    [TestCase(1_550_000, "1.6MB")]
    [TestCase(999_999_999, "1GB")]
    [TestCase(long.MaxValue, "9.2EB")]
    public void A_size_is_written_for_people(long sizeBytes, string text) => Assert.That(UnitText.FormatSize(sizeBytes), Is.EqualTo(text));

    [TestCase("127.0.0.1:8980", "127.0.0.1", 8980)]
    [TestCase("[::1]:0", "::1", 0)]
    [TestCase("builder.example.com:65535", "builder.example.com", 65535)]
    public void An_address_is_read_and_written(string text, string host, int port)
    {
        Assert.That(HostPort.TryParse(text, out var address), Is.True);
        Assert.That(address, Is.EqualTo(new HostPort(host, port)));
        Assert.That(address.ToString(), Is.EqualTo(text));
    }

    [Test]
    public void An_address_may_have_its_scheme_in_front() =>
        Assert.That((HostPort.TryParse("grpc://builder:8980", out var address), address), Is.EqualTo((true, new HostPort("builder", 8980))));

    [TestCase("")]
    [TestCase("grpc://")]
    [TestCase("grpcs://host:8980")]
    [TestCase("8980")]
    [TestCase(":8980")]
    [TestCase("host:")]
    [TestCase("host:65536")]
    [TestCase("host:-1")]
    [TestCase("::1:8980")]
    [TestCase("[]:8980")]
    [TestCase("http://host:8980")]
    [TestCase("ho st:8980")]
    public void What_is_no_address_is_refused(string text) => Assert.That(HostPort.TryParse(text, out _), Is.False);

    [TestCase("max-cas-sise", "max-cas-size")]
    [TestCase("MaxCasSize", "max-cas-size")]
    [TestCase("max_cas_size", "max-cas-size")]
    [TestCase("gprc", "grpc")]
    [TestCase("http-address", null)]
    [TestCase("x", null)]
    [TestCase("", null)]
    public void The_nearest_name_is_near_or_absent(string word, string? nearest) =>
        Assert.That(NearestName.Find(word, ["grpc", "http", "max-cas-size", "data-dir"]), Is.EqualTo(nearest));
}
