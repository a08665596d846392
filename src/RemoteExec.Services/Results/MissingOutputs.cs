using RemoteExec.Protocol.V1;

namespace RemoteExec.Services;

/// <summary>A success that did not write what it announced, in words for whoever wonders why it runs again.</summary>
internal static class MissingOutputs
{
    /// <returns>Null for one that may be cached.</returns>
    public static string? ReasonNotToCache(AnnouncedOutputs? outputs, IncompleteResults cached)
    {
        if (outputs is null || outputs.Written >= outputs.Announced || cached == IncompleteResults.Always) return null;
        if (outputs.Written == 0 && !(outputs.Optional && cached == IncompleteResults.Some))
        {
            return outputs.Announced == 1
                ? $"not cached, because the command did not write its output {RequestOrigins.Clean(outputs.FirstMissing)}"
                : $"not cached, because the command wrote none of its {outputs.Announced} outputs, the first is {RequestOrigins.Clean(outputs.FirstMissing)}";
        }

        return cached == IncompleteResults.Never
            ? $"not cached, because the command did not write its output {RequestOrigins.Clean(outputs.FirstMissing)} (--cache-incomplete-results never)"
            : null;
    }
}
