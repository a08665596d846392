namespace RemoteExec.Services;

/// <summary>
/// What the names of all logs have in common.
/// <code>
/// {instance/}logstreams/{log}           to read
/// {instance/}logstreams/{log}/{token}   to write, where clients do that
/// </code>
/// </summary>
internal static class LogStreamNames
{
    private const string Keyword = "logstreams";

    /// <summary>The name is one to read a log by and of nothing else: no blob's name has the keyword there.</summary>
    public static bool IsRead(ReadOnlySpan<char> resourceName)
    {
        int slash = resourceName.LastIndexOf('/');
        if (slash < Keyword.Length || !resourceName[..slash].EndsWith(Keyword)) return false;

        return slash == Keyword.Length || resourceName[slash - Keyword.Length - 1] == '/';
    }

    /// <summary>One to write a log by. What stands in front is an instance name: an upload's may end with any words.</summary>
    public static bool IsWrite(string resourceName)
    {
        int slash = resourceName.LastIndexOf('/');
        return slash > 0 && !IsRead(resourceName) && TrySplit(resourceName[..slash], out _, out _);
    }

    /// <summary>In front of what tells one log from the others.</summary>
    public static string Prefix(InstanceName instance) => $"{Front(instance)}{Keyword}/";

    public static bool TrySplit(string resourceName, out InstanceName instance, out string last)
    {
        (instance, last) = (default, "");
        if (!IsRead(resourceName)) return false;

        int slash = resourceName.LastIndexOf('/');
        last = resourceName[(slash + 1)..];
        return InstanceName.TryParse(Undoubled(slash == Keyword.Length ? "" : resourceName[..(slash - Keyword.Length - 1)]), out instance, out _);
    }

    /// <summary>One spelling only, or that of a client that puts the keyword before a name that has it already.</summary>
    public static bool IsSpelling(string resourceName, InstanceName instance, string told) =>
        resourceName == told || resourceName == Prefix(instance) + told;

    /// <summary>The Go SDK reads <c>{instance/}logstreams/</c> + the name that it was given, which begins with the same.</summary>
    private static string Undoubled(string instanceName)
    {
        if (instanceName == Keyword) return "";

        const string middle = "/" + Keyword + "/";
        int length = (instanceName.Length - middle.Length) / 2;
        return length > 0 && instanceName == $"{instanceName[..length]}{middle}{instanceName[..length]}" ? instanceName[..length] : instanceName;
    }

    private static string Front(InstanceName instance) => instance == InstanceName.Empty ? "" : $"{instance.Value}/";
}
