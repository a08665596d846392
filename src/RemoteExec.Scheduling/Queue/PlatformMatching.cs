using RemoteExec.Core;

namespace RemoteExec.Scheduling;

/// <summary>
/// When does what a worker offers cover what an action asks? Every property asked must be among those offered
/// (REAPI Platform.Property: "the worker must match"); a repeated name (ISA) means all of its values.
/// </summary>
internal sealed class PlatformMatching(IReadOnlySet<string> ignoredProperties)
{
    public const string Pool = "Pool";

    /// <summary>Offered as a value, it stands for every value.</summary>
    public const string AnyValue = "*";

    // Of newer Bazels: resources:cpu, resources:memory, and whatever a rule invents.
    private const string RequestPrefix = "resources:";

    /// <summary>What an action asks, in the form in which it is compared: hash-only keys gone, spellings unified.</summary>
    public Platform Asked(Platform platform) =>
        Create(platform.Properties.Where(property => !IsIgnored(property)));

    /// <summary>What of it is left out of account.</summary>
    public IReadOnlyList<PlatformProperty> Ignored(Platform platform) => [.. platform.Properties.Where(IsIgnored)];

    public static Platform Offered(WorkerDescription worker)
    {
        string pool = worker.Pool.Length > 0 ? worker.Pool : Pools.Default;
        return Create(worker.Properties.Properties.Append(new PlatformProperty(Pool, pool)));
    }

    public static bool Covers(Platform offered, Platform asked)
    {
        foreach (var property in asked.Properties)
        {
            if (!Offers(offered, property)) return false;
        }

        return true;
    }

    /// <summary>This value, or any.</summary>
    public static bool Offers(Platform offered, PlatformProperty asked) =>
        offered.Properties.AsSpan().BinarySearch(asked) >= 0 || offered.Properties.AsSpan().BinarySearch(asked with { Value = AnyValue }) >= 0;

    private bool IsIgnored(PlatformProperty property) =>
        ignoredProperties.Contains(property.Name) || property.Name.StartsWith(RequestPrefix, StringComparison.Ordinal);

    private static Platform Create(IEnumerable<PlatformProperty> properties)
    {
        // Distinct, since two spellings may have become one.
        return Platform.TryCreate(properties.Select(Unify).Distinct(), out var platform, out string? error)
            ? platform
            : throw new SchedulingException(OutcomeCode.InvalidArgument, error);
    }

    // The lexicon's values are lower case, but clients in the field send OSFamily=Linux, and both spellings of Pool
    // are about (REAPI 1.12).
    private static PlatformProperty Unify(PlatformProperty property) => property.Name switch
    {
        "OSFamily" or "ISA" => property with { Value = property.Value.ToLowerInvariant() },
        "pool" => property with { Name = Pool },
        _ => property,
    };
}
