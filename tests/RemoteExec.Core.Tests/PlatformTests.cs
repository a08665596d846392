using NUnit.Framework;

namespace RemoteExec.Core.Tests;

public sealed class PlatformTests
{
    [Test]
    public void The_order_of_properties_and_repetitions_say_nothing()
    {
        var one = Create(new("OSFamily", "linux"), new("ISA", "x86-avx2"), new("ISA", "x86-64"));
        var other = Create(new("ISA", "x86-64"), new("ISA", "x86-avx2"), new("OSFamily", "linux"), new("ISA", "x86-64"));

        Assert.That(one, Is.EqualTo(other));
        Assert.That(one.GetHashCode(), Is.EqualTo(other.GetHashCode()));
        Assert.That(one.ToString(), Is.EqualTo("ISA=x86-64, ISA=x86-avx2, OSFamily=linux"));
        Assert.That(one.ValuesOf("ISA"), Is.EqualTo(new[] { "x86-64", "x86-avx2" }));
    }

    [Test]
    public void Names_and_values_are_exact()
    {
        var platform = Create(new PlatformProperty("OSFamily", "linux"));

        Assert.That(platform, Is.Not.EqualTo(Create(new PlatformProperty("OSFamily", "Linux"))));
        Assert.That(platform, Is.Not.EqualTo(Create(new PlatformProperty("osfamily", "linux"))));
        Assert.That(platform, Is.Not.EqualTo(Platform.Empty));
    }

    [Test]
    public void No_properties_are_the_empty_platform() => Assert.That(Create(), Is.SameAs(Platform.Empty));

    [Test]
    public void A_property_without_a_name_is_refused()
    {
        Assert.That(Platform.TryCreate([new("", "x")], out _, out string? error), Is.False);
        Assert.That(error, Does.Contain("no name"));
    }

    [Test]
    public void The_number_of_properties_is_bounded()
    {
        var properties = Enumerable.Range(0, Platform.PropertiesMax + 1).Select(i => new PlatformProperty($"p{i}", ""));

        Assert.That(Platform.TryCreate(properties, out _, out string? error), Is.False);
        Assert.That(error, Does.Contain("more than 256"));
    }

    [Test]
    public void A_pair_that_is_repeated_counts_once() =>
        Assert.That(Platform.TryCreate(Enumerable.Repeat(new PlatformProperty("p", "v"), 1000), out var platform, out _) && platform.Properties.Length == 1);

    [TestCase("OSFamily=linux", "OSFamily", "linux")]
    [TestCase("flags=a=b", "flags", "a=b")]
    [TestCase("empty=", "empty", "")]
    public void A_property_is_written_with_the_first_equals_sign(string text, string name, string value)
    {
        Assert.That(PlatformProperty.TryParse(text, out var property, out _), Is.True);
        Assert.That(property, Is.EqualTo(new PlatformProperty(name, value)));
    }

    [TestCase("")]
    [TestCase("OSFamily")]
    [TestCase("=linux")]
    public void A_property_needs_a_name_and_an_equals_sign(string text) =>
        Assert.That(PlatformProperty.TryParse(text, out _, out _), Is.False);

    private static Platform Create(params PlatformProperty[] properties)
    {
        Assert.That(Platform.TryCreate(properties, out var platform, out string? error), Is.True, error);
        return platform!;
    }
}
