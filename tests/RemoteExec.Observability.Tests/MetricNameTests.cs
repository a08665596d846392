using System.Text.RegularExpressions;
using NUnit.Framework;
using Prometheus;

namespace RemoteExec.Observability.Tests;

/// <summary>The rules of <c>promtool check metrics</c> (client_golang, testutil/promlint), held against every metric.</summary>
public sealed partial class MetricNameTests
{
    // promlint/validations/units.go: the base units are fine, these are not.
    private static readonly string[] DerivedUnits =
    [
        "minutes", "hours", "days", "weeks", "fahrenheit", "rankine", "inches", "yards", "miles", "bits", "calories", "pounds", "ounces",
        .. from prefix in new[] { "pico", "nano", "micro", "milli", "centi", "deci", "deca", "hecto", "kilo", "kibi", "mega", "mebi", "giga", "gibi", "tera", "tebi", "peta", "pebi" }
           from unit in new[] { "seconds", "bytes", "meters", "metres", "grams", "joules", "volts", "amperes", "kelvin", "celsius" }
           select prefix + unit,
    ];

    private static readonly string[] Abbreviations = ["s", "ms", "us", "ns", "sec", "b", "kb", "mb", "gb", "tb", "pb", "m", "h", "d"];
    private static readonly string[] Types = ["counter", "gauge", "histogram", "summary", "untyped"];

    private IReadOnlyList<(string Name, string Type, string Help)> _families = [];

    [OneTimeSetUp]
    public async Task ListAllMetrics()
    {
        using var metrics = new ServerMetrics(new ServerHealth(TimeProvider.System), roles: "all");
        string page = await metrics.ScrapeAsync(ExpositionFormat.PrometheusText, default);
        _families = [.. Family().Matches(page).Select(family => (family.Groups["name"].Value, family.Groups["type"].Value, family.Groups["help"].Value))];
        Assert.That(_families, Has.Count.GreaterThan(60));
    }

    [Test]
    public void A_counter_ends_in_total_and_nothing_else_does() =>
        Assert.That(_families.Where(family => (family.Type == "counter") != family.Name.EndsWith("_total", StringComparison.Ordinal)), Is.Empty);

    [Test]
    public void The_suffixes_of_a_histogram_are_left_to_histograms() =>
        Assert.That(_families.Where(family => family.Type != "histogram" && HistogramSuffix().IsMatch(family.Name)), Is.Empty);

    [Test]
    public void Units_are_base_units_and_written_out() =>
        Assert.That(_families.Where(family => family.Name.Split('_').Any(word => DerivedUnits.Contains(word) || Abbreviations.Contains(word))), Is.Empty);

    [Test]
    public void No_name_says_its_type() =>
        Assert.That(_families.Where(family => family.Name.Split('_').Any(Types.Contains)), Is.Empty);

    [Test]
    public void Names_are_small_letters_digits_and_underscores() =>
        Assert.That(_families.Where(family => !PlainName().IsMatch(family.Name)), Is.Empty);

    [Test]
    public void Every_metric_explains_itself() =>
        Assert.That(_families.Where(family => family.Help.Length == 0), Is.Empty);

    [GeneratedRegex(@"^# HELP (?<name>\S+) (?<help>.*)\n# TYPE \k<name> (?<type>\w+)$", RegexOptions.Multiline | RegexOptions.ExplicitCapture)]
    private static partial Regex Family();

    [GeneratedRegex("_(bucket|sum|count)$", RegexOptions.ExplicitCapture)]
    private static partial Regex HistogramSuffix();

    [GeneratedRegex("^[a-z][a-z0-9_]*$")]
    private static partial Regex PlainName();
}
