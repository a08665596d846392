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
    /// <summary>False is a log stream that we cannot have named.</summary>
    public static bool TryParse(string resourceName, out LogStreamName name)
    {
        name = default;
        if (!LogStreamNames.TrySplit(resourceName, out var instance, out string last)
            || last.Split('.') is not [var executionText, var attemptText, var stream]
            || !ExecutionId.TryParse(executionText, out var execution)
            || !int.TryParse(attemptText, NumberStyles.None, CultureInfo.InvariantCulture, out int attempt))
        {
            return false;
        }

        var lease = new LeaseId(execution, attempt);
        name = new LogStreamName(instance, lease, stream == Word(OutputStream.Stdout) ? OutputStream.Stdout : OutputStream.Stderr);
        return LogStreamNames.IsSpelling(resourceName, instance, name.ToString());
    }

    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"{LogStreamNames.Prefix(Instance)}{Lease.Execution.Value:x32}.{Lease.Attempt}.{Word(Stream)}");

    private static string Word(OutputStream stream) => stream == OutputStream.Stdout ? "stdout" : "stderr";
}
