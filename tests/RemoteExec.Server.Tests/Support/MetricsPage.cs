using System.Globalization;
using System.Text.RegularExpressions;

namespace RemoteExec.Server.Tests;

/// <summary>A page in Prometheus' text format 0.0.4, taken apart.</summary>
internal sealed partial class MetricsPage
{
    private readonly Dictionary<string, string> _families = [];
    private readonly Dictionary<string, string> _help = [];
    private readonly List<(string Family, IReadOnlyDictionary<string, string> Labels, double Value)> _samples = [];

    private MetricsPage()
    {
    }

    /// <summary>Name and type of what is announced.</summary>
    public IReadOnlyDictionary<string, string> Families => _families;

    /// <summary>A bucket's bound is no label of its family.</summary>
    public IReadOnlyList<(string Family, IReadOnlyDictionary<string, string> Labels, double Value)> Samples => _samples;

    public static MetricsPage Parse(string text)
    {
        var page = new MetricsPage();
        foreach (string line in text.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            string[] words = line.Split(' ', 4);
            if (words is ["#", "TYPE", var name, var type])
                page._families.Add(name, type);
            else if (words is ["#", "HELP", var helped, var help])
                page._help.Add(helped, help);
            else
                page.AddSample(line);
        }

        return page;
    }

    public string HelpOf(string family) => _help.GetValueOrDefault(family, "");

    /// <summary>The sum of the samples that carry this label value.</summary>
    public double Value(string family, string label, string value) => _samples
        .Where(sample => sample.Family == family && sample.Labels.GetValueOrDefault(label) == value)
        .Sum(sample => sample.Value);

    private void AddSample(string line)
    {
        var match = Sample().Match(line);
        if (!match.Success) throw new FormatException($"not a sample: {line}");

        string family = FamilyOf(match.Groups["name"].Value);
        var labels = Label().Matches(match.Groups["labels"].Value)
            .Where(label => label.Groups["name"].Value != "le")
            .ToDictionary(label => label.Groups["name"].Value, label => label.Groups["value"].Value);
        _samples.Add((family, labels, double.Parse(match.Groups["number"].Value, CultureInfo.InvariantCulture)));
    }

    // The samples of a histogram stand below its TYPE line with a suffix each.
    private string FamilyOf(string sample)
    {
        string stem = HistogramSuffix().Replace(sample, "");
        return _families.GetValueOrDefault(stem) == "histogram" ? stem : sample;
    }

    [GeneratedRegex("""^(?<name>[a-zA-Z_:][a-zA-Z0-9_:]*)(\{(?<labels>.*)\})? (?<number>[-+]?(Inf|[0-9.E+-]+))$""", RegexOptions.ExplicitCapture)]
    private static partial Regex Sample();

    [GeneratedRegex("""(?<name>[a-zA-Z_][a-zA-Z0-9_]*)="(?<value>(\\.|[^"\\])*)"(,|$)""", RegexOptions.ExplicitCapture)]
    private static partial Regex Label();

    [GeneratedRegex("_(bucket|sum|count)$", RegexOptions.ExplicitCapture)]
    private static partial Regex HistogramSuffix();
}
