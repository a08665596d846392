using System.Globalization;
using RemoteExec.Protocol;
using RemoteExec.Scheduling;

namespace RemoteExec.Services;

/// <summary>ExecuteResponse.message: one line for people, which Bazel prints when a run has failed (REAPI T3).</summary>
internal static class ExecutionStory
{
    public static string OfCacheHit(Digest action, Uri? web) => WithLink($"found in the action cache: {action}", web, $"{action.Hash}-{action.SizeBytes}");

    /// <param name="execution">Names the page that the link leads to.</param>
    /// <param name="worker">Who ran it.</param>
    /// <param name="attempt">Of those that count. Told only when it was not the first.</param>
    /// <param name="queued">From being accepted to being leased.</param>
    /// <param name="remark">What the worker has to say, or empty.</param>
    public static string OfRun(ExecutionId execution, string worker, int attempt, TimeSpan queued, string remark, Uri? web)
    {
        string text = string.Create(CultureInfo.InvariantCulture, $"ran on {worker} after {queued.TotalSeconds:0.000} s in the queue");
        if (attempt > 1) text += string.Create(CultureInfo.InvariantCulture, $", attempt {attempt}");
        return WithLink(remark.Length == 0 ? text : $"{remark}; {text}", web, execution.ToString());
    }

    /// <summary>
    /// A command that failed says why in its own words, and several clients show ours above them: only where to look further.
    /// </summary>
    public static string OfFailedCommand(ExecutionId execution, Uri? web) => web is null ? "" : Page(web, execution.ToString()).ToString();

    /// <summary>The page's address also in a status: some clients show nothing else of a response.</summary>
    public static RpcStatus WithPage(RpcStatus status, ExecutionId execution, Uri? web)
    {
        var told = status.Clone();
        told.Message = WithLink(status.Message, web, execution.ToString());
        return told;
    }

    // Web's page of one action; it knows an execution by its id and the latest execution of an action by its digest.
    private static string WithLink(string text, Uri? web, string page) => web is null ? text : $"{text} - {Page(web, page)}";

    private static Uri Page(Uri web, string page) => new(web, $"action/{page}");
}
