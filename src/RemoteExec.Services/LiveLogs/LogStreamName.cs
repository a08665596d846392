using System.Globalization;
using RemoteExec.Scheduling;

namespace RemoteExec.Services;

/// <summary>
/// The name under which ByteStream.Read follows one stream of a running action (REAPI T5):
/// <code>
/// {instance/}logstreams/{execution}.{attempt}.{stdout | stderr}
/// </code>
/// Whoever knows it may read it, so it must not be guessed: an execution's id is 128 random bits, told only to those who
/// wait for the execution, to its worker, and on the web page, which shows the output itself. The attempt is part of it:
/// what one attempt wrote is never continued by another, so a log is always the beginning of one attempt's output.
/// </summary>
internal readonly record struct LogStreamName(InstanceName Instance, LeaseId Lease, OutputStream Stream)
{
    private const string Keyword = "logstreams";

    /// <summary>The name is one of a log stream and of nothing else: no blob's name has the keyword there.</summary>
    public static bool IsLogStream(string resourceName)
    {
        int slash = resourceName.LastIndexOf('/');
        if (slash < Keyword.Length || !resourceName.AsSpan(0, slash).EndsWith(Keyword)) return false;

        return slash == Keyword.Length || resourceName[slash - Keyword.Length - 1] == '/';
    }

    /// <summary>False is a log stream that we cannot have named.</summary>
    public static bool TryParse(string resourceName, out LogStreamName name)
    {
        name = default;
        if (!IsLogStream(resourceName)) return false;

        int slash = resourceName.LastIndexOf('/');
        string instanceName = Undoubled(slash == Keyword.Length ? "" : resourceName[..(slash - Keyword.Length - 1)]);
        string[] parts = resourceName[(slash + 1)..].Split('.');
        if (!InstanceName.TryParse(instanceName, out var instance, out _)
            || parts is not [var executionText, var attemptText, var stream]
            || !ExecutionId.TryParse(executionText, out var execution)
            || !int.TryParse(attemptText, NumberStyles.None, CultureInfo.InvariantCulture, out int attempt))
        {
            return false;
        }

        var lease = new LeaseId(execution, attempt);
        name = new LogStreamName(instance, lease, stream == Word(OutputStream.Stdout) ? OutputStream.Stdout : OutputStream.Stderr);
        // One spelling only, or that of a client that puts the keyword before a name that has it already.
        string told = name.ToString();
        return resourceName == told || resourceName == $"{Prefix(instance)}{Keyword}/{told}";
    }

    /// <summary>The Go SDK reads <c>{instance/}logstreams/</c> + the name that it was given, which begins with the same.</summary>
    private static string Undoubled(string instanceName)
    {
        if (instanceName == Keyword) return "";

        const string middle = "/" + Keyword + "/";
        int length = (instanceName.Length - middle.Length) / 2;
        return length > 0 && instanceName == $"{instanceName[..length]}{middle}{instanceName[..length]}" ? instanceName[..length] : instanceName;
    }

    private static string Prefix(InstanceName instance) => instance == InstanceName.Empty ? "" : $"{instance.Value}/";

    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"{Prefix(Instance)}{Keyword}/{Lease.Execution.Value:x32}.{Lease.Attempt}.{Word(Stream)}");

    private static string Word(OutputStream stream) => stream == OutputStream.Stdout ? "stdout" : "stderr";
}
