using System.Globalization;

namespace RemoteExec.Conformance;

/// <summary>What was asked for on the command line.</summary>
internal sealed record Arguments
{
    public const string Usage = """
        usage: rexec-conformance --endpoint grpc://HOST:PORT [--instance NAME] [--platform K=V]... [--slots N] [--only ID,...] [--slow] [--ours] [--json]
               rexec-conformance --endpoint grpc://HOST:PORT --fuzz MESSAGES [--http HOST:PORT] [--seed NUMBER] [--only FAMILY,...]

          --slots     how many actions run at once: then the order of those that wait is asked for too
          --only      checkboxes (C6,BW3), or "abuse"
          --slow      also what waits for half a minute
          --ours      also what the protocol leaves to the server, as RemoteExec answers it
          --fuzz      sends this many mutated messages to each family of methods
          --http      and to those of its HTTP port: JSON, and the cache
        exit code: 0 nothing failed, 1 something did, 2 wrong usage
        """;

    public Uri? Endpoint { get; private init; }

    public string Instance { get; private init; } = "";

    public IReadOnlyList<PlatformProperty> Platform { get; private init; } = [];

    /// <summary>Null where it is not said.</summary>
    public int? Slots { get; private init; }

    public IReadOnlyList<string> Only { get; private init; } = [];

    public bool IsSlow { get; private init; }

    public bool IsOurs { get; private init; }

    public bool IsJson { get; private init; }

    public int FuzzMessages { get; private init; }

    /// <summary>The HTTP port of the same server; null where it is left alone.</summary>
    public string? Http { get; private init; }

    public int Seed { get; private init; } = Environment.TickCount & int.MaxValue;

    /// <summary>Null when it cannot be understood.</summary>
    public static Arguments? Parse(IReadOnlyList<string> words)
    {
        var parsed = new Arguments();
        for (int i = 0; i < words.Count; i++)
        {
            string? value = i + 1 < words.Count ? words[i + 1] : null;
            switch (words[i])
            {
                case "--slow": parsed = parsed with { IsSlow = true }; continue;
                case "--ours": parsed = parsed with { IsOurs = true }; continue;
                case "--json": parsed = parsed with { IsJson = true }; continue;
            }

            i++;
            switch (words[i - 1])
            {
                case "--endpoint" when Uri.TryCreate(value, UriKind.Absolute, out var endpoint) && endpoint.Scheme is "grpc" or "grpcs" or "http" or "https":
                    parsed = parsed with { Endpoint = endpoint };
                    break;
                case "--instance" when value is not null:
                    parsed = parsed with { Instance = value };
                    break;
                case "--platform" when value?.Split('=', 2) is [var name, var text]:
                    parsed = parsed with { Platform = [.. parsed.Platform, new PlatformProperty(name, text)] };
                    break;
                case "--slots" when int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out int slots) && slots > 0:
                    parsed = parsed with { Slots = slots };
                    break;
                case "--only" when value is not null:
                    parsed = parsed with { Only = [.. parsed.Only, .. value.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)] };
                    break;
                case "--fuzz" when int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out int messages) && messages > 0:
                    parsed = parsed with { FuzzMessages = messages };
                    break;
                case "--http" when value?.Split(':') is [{ Length: > 0 }, var port] && ushort.TryParse(port, NumberStyles.None, CultureInfo.InvariantCulture, out _):
                    parsed = parsed with { Http = value };
                    break;
                case "--seed" when int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out int seed):
                    parsed = parsed with { Seed = seed };
                    break;
                default:
                    return null;
            }
        }

        return parsed.Endpoint is null ? null : parsed;
    }

    /// <summary>Whether this check is asked for.</summary>
    public bool Wants(Check check) => Only.Count > 0
        ? Only.Any(id => check.Id.Equals(id, StringComparison.OrdinalIgnoreCase) || check.Id.StartsWith(id + ".", StringComparison.OrdinalIgnoreCase))
        : (IsSlow || !check.IsSlow) && (IsOurs || !check.IsOurChoice);
}
