namespace RemoteExec.Scheduling.Tests;

internal static class Moments
{
    /// <summary>Time passes, by both clocks.</summary>
    public static Instant After(this Instant moment, TimeSpan passed) => new(moment.Monotonic + passed, moment.Wall + passed);

    /// <summary>Delivers what workers are told, as the scheduler does.</summary>
    public static IReadOnlyList<Effect.WorkerTold> Tell(this Transitions transitions)
    {
        var told = transitions.Effects.OfType<Effect.WorkerTold>().ToArray();
        foreach (var offer in told.Select(effect => effect.Offered).OfType<Holding>()) offer.IsOffered = true;
        return told;
    }
}
