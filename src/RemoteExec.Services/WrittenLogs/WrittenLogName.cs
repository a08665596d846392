using System.Globalization;
using System.Security.Cryptography;

namespace RemoteExec.Services;

/// <summary>
/// A log that a client writes, as its readers know it: <c>{instance/}logstreams/{id}</c>. Who writes it has one part more, a token that is told
/// once, to who made the log. Both parts are 128 random bits.
/// </summary>
internal readonly record struct WrittenLogName(InstanceName Instance, UInt128 Id)
{
    public static bool TryParse(string resourceName, out WrittenLogName name)
    {
        name = default;
        if (!LogStreamNames.TrySplit(resourceName, out var instance, out string last) || !TryParse(last, out UInt128 id)) return false;

        name = new WrittenLogName(instance, id);
        return LogStreamNames.IsSpelling(resourceName, instance, name.ToString());
    }

    public static bool TryParseWrite(string resourceName, out WrittenLogName name, out UInt128 token)
    {
        (name, token) = (default, 0);
        int slash = resourceName.LastIndexOf('/');
        return slash > 0 && TryParse(resourceName[..slash], out name) && TryParse(resourceName[(slash + 1)..], out token);
    }

    /// <summary>A part that nobody guesses.</summary>
    public static UInt128 NewPart() => new(NewHalf(), NewHalf());

    public override string ToString() => LogStreamNames.Prefix(Instance) + Text(Id);

    public string ToStringWith(UInt128 token) => $"{this}/{Text(token)}";

    private static ulong NewHalf() => BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(sizeof(ulong)));

    private static string Text(UInt128 part) => part.ToString("x32", CultureInfo.InvariantCulture);

    private static bool TryParse(string text, out UInt128 part) =>
        UInt128.TryParse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out part) && text == Text(part);
}
