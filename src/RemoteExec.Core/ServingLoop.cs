namespace RemoteExec.Core;

/// <summary>
/// The rule of every loop that serves many (DESIGN D8): whatever exception comes, of whatever type, is the failure of one item.
/// <code>
/// while (await next(...) is { } item)
///     await ServingLoop.ServeAsync(() => HandleAsync(item), failure => item.Fail(failure));
/// </code>
/// The catch is not filtered, on purpose: a list of expected types is a list of the faults that somebody thought of. What must
/// end the loop (its own stop) is asked in the loop's condition, never told by an exception out of an item.
/// </summary>
public static class ServingLoop
{
    /// <summary>Serves one item. A failure is handed to <paramref name="fail"/>; a <paramref name="fail"/> that throws itself is told to <see cref="System.Diagnostics.Trace"/>.</summary>
    /// <returns>Whether the item was served.</returns>
    public static bool Serve(Action serve, Action<Exception> fail) => Serve(
        (Serve: serve, Fail: fail), static item => item.Serve(), static (item, failure) => item.Fail(failure));

    /// <summary>The same without an allocation, where items are many: what is called is static and has all it needs in <paramref name="item"/>.</summary>
    public static bool Serve<TItem>(TItem item, Action<TItem> serve, Action<TItem, Exception> fail)
    {
        try
        {
            serve(item);
            return true;
        }
        catch (Exception failure)
        {
            Tell(item, fail, failure);
            return false;
        }
    }

    /// <inheritdoc cref="Serve(Action, Action{Exception})"/>
    public static ValueTask<bool> ServeAsync(Func<ValueTask> serve, Action<Exception> fail) => ServeAsync(
        (Serve: serve, Fail: fail), static item => item.Serve(), static (item, failure) => item.Fail(failure));

    /// <inheritdoc cref="Serve{TItem}"/>
    public static async ValueTask<bool> ServeAsync<TItem>(TItem item, Func<TItem, ValueTask> serve, Action<TItem, Exception> fail)
    {
        try
        {
            await serve(item);
            return true;
        }
        catch (Exception failure)
        {
            Tell(item, fail, failure);
            return false;
        }
    }

    private static void Tell<TItem>(TItem item, Action<TItem, Exception> fail, Exception failure)
    {
        try
        {
            fail(item, failure);
        }
        catch (Exception second)
        {
            // A mistake of ours. The runtime's own last channel: a host listens to it and writes it to its log.
            System.Diagnostics.Trace.TraceError(new AggregateException(failure, second).ToString());
        }
    }
}
