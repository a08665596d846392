using System.Globalization;

namespace RemoteExec.EndToEnd;

/// <summary>
/// A page of the Prometheus text format: <c>name{label="value",…} number</c> by line.
/// Read as a scraper would, strictly, since a malformed page is a failure worth a red test.
/// </summary>
internal sealed class PrometheusPage
{
    private readonly List<(string Name, string Labels, double Value)> _series = [];

    public static PrometheusPage Parse(string text)
    {
        var page = new PrometheusPage();
        foreach (string line in text.Split('\n'))
        {
            if (line.Length == 0 || line[0] == '#') continue;

            int nameEnd = line.AsSpan().IndexOfAny('{', ' ');
            // A label's value may hold spaces and braces, so the labels end at the last brace.
            int labelsEnd = line[nameEnd] == '{' ? line.LastIndexOf('}') + 1 : nameEnd;
            page._series.Add((
                line[..nameEnd],
                line[nameEnd..labelsEnd],
                double.Parse(line.AsSpan(labelsEnd).Trim(), NumberStyles.Float, CultureInfo.InvariantCulture)));
        }

        return page;
    }

    public double Sum(string name, params string[] labels) =>
        _series.Where(series => series.Name == name && labels.All(label => series.Labels.Contains(label, StringComparison.Ordinal)))
            .Sum(series => series.Value);
}
