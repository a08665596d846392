using System.Globalization;

namespace RemoteExec.Core;

/// <summary>A size, or a share of something whose size is known later: <c>10GB</c>, <c>50%</c>.</summary>
public readonly record struct SizeOrShare(long Bytes, decimal? Percent)
{
    public static bool TryParse(string text, out SizeOrShare value)
    {
        value = default;
        if (!text.EndsWith('%'))
        {
            if (!UnitText.TryParseSize(text, out long bytes)) return false;
            value = new SizeOrShare(bytes, Percent: null);
            return true;
        }

        if (!decimal.TryParse(text.AsSpan(0, text.Length - 1), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out decimal percent)) return false;
        value = new SizeOrShare(Bytes: 0, percent);
        return percent is > 0 and <= 100;
    }

    public long Of(long wholeBytes) => Percent is { } percent ? (long)(wholeBytes * percent / 100) : Bytes;
}
