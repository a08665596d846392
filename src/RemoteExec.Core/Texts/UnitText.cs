using System.Globalization;

namespace RemoteExec.Core;

/// <summary>Numbers with units, as people write them: <c>10GB</c>, <c>1.5GiB</c>, <c>30s</c>, <c>100ms</c>.</summary>
public static class UnitText
{
    private static readonly (string Unit, decimal Bytes)[] SizeUnits =
    [
        ("B", 1),
        ("KB", 1e3m), ("MB", 1e6m), ("GB", 1e9m), ("TB", 1e12m), ("PB", 1e15m),
        ("KiB", 1L << 10), ("MiB", 1L << 20), ("GiB", 1L << 30), ("TiB", 1L << 40), ("PiB", 1L << 50),
    ];

    private static readonly (string Unit, decimal Ticks)[] DurationUnits =
    [
        ("ms", TimeSpan.TicksPerMillisecond), ("s", TimeSpan.TicksPerSecond), ("m", TimeSpan.TicksPerMinute),
        ("h", TimeSpan.TicksPerHour), ("d", TimeSpan.TicksPerDay),
    ];

    /// <summary>Bytes. A bare number is bytes; GB counts in thousands, GiB in 1024s; letters may have any case.</summary>
    public static bool TryParseSize(string text, out long sizeBytes) => TryParse(text, SizeUnits, bareUnit: 1, out sizeBytes);

    /// <summary>A length of time. The unit may be left out of 0 only: seconds or milliseconds is too much to guess.</summary>
    public static bool TryParseDuration(string text, out TimeSpan duration)
    {
        bool isKnown = TryParse(text, DurationUnits, bareUnit: text == "0" ? 1 : null, out long ticks);
        duration = new TimeSpan(ticks);
        return isKnown;
    }

    /// <summary>The size in the largest unit that leaves a number a person can read: <c>1.5GB</c>.</summary>
    public static string FormatSize(long sizeBytes)
    {
        string[] units = ["B", "KB", "MB", "GB", "TB", "PB", "EB"];
        decimal amount = sizeBytes;
        int unit = 0;
        while (Math.Abs(amount) >= 999.95m && unit < units.Length - 1)
        {
            amount /= 1000;
            unit++;
        }

        return amount.ToString(unit == 0 ? "0" : "0.#", CultureInfo.InvariantCulture) + units[unit];
    }

    private static bool TryParse(string text, (string Unit, decimal Factor)[] units, decimal? bareUnit, out long amount)
    {
        amount = 0;
        string number = text.TrimEnd("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ".ToCharArray());
        string unit = text[number.Length..];
        decimal? factor = unit.Length == 0
            ? bareUnit
            : units.Where(known => known.Unit.Equals(unit, StringComparison.OrdinalIgnoreCase)).Select(known => (decimal?)known.Factor).FirstOrDefault();
        // Neither sign nor exponent nor thousands: "1e9" and "-1GB" are slips more often than wishes.
        if (factor is null || !decimal.TryParse(number.TrimEnd(' '), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out decimal value))
            return false;
        // Divide rather than multiply: the product could leave even decimal's range.
        if (value > long.MaxValue / factor.Value) return false;

        amount = (long)(value * factor.Value);
        return true;
    }
}
