namespace RemoteExec.EndToEnd;

/// <summary>
/// Waits for a fact about other processes that announces itself by no event: an entry of /proc that
/// comes or goes, a port that begins to answer. Bounded, and asked often.
/// </summary>
internal static class Eventually
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(20);

    public static async Task TrueAsync(Func<string> fact, TimeSpan within, Func<ValueTask<bool>> isTrue)
    {
        long start = TimeProvider.System.GetTimestamp();
        while (!await isTrue())
        {
            if (TimeProvider.System.GetElapsedTime(start) > within)
                throw new TimeoutException($"still not so after {within.TotalSeconds:0.#} s: {fact()}");
            await Task.Delay(Pause, TimeProvider.System, default);
        }
    }

    public static Task TrueAsync(string fact, TimeSpan within, Func<bool> isTrue) =>
        TrueAsync(() => fact, within, () => ValueTask.FromResult(isTrue()));
}
