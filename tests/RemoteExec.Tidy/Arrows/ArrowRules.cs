namespace RemoteExec.Tidy;

/// <summary>
/// The floor plan: arrows point inward, hosts to edge to rules and bytes to wire to words. To add an assembly, add its row; to add
/// an arrow, be sure that it points inward.
/// </summary>
internal static class ArrowRules
{
    private const string Kestrel = "Microsoft.AspNetCore*"; // the framework, with the two System assemblies that it brings along
    private const string Extensions = "Microsoft.Extensions.*"; // logging and the like, part of ASP.NET Core
    private const string Framework = "Microsoft.AspNetCore.App"; // for the extensions in it
    private const string Protobuf = "Google.Protobuf";
    private const string Grpc = "Grpc.Core.Api"; // the types that generated stubs name; no runtime

    private static readonly string[] Words = ["Core", "Protocol"];

    public static IReadOnlyList<ArrowRule> All { get; } =
    [
        new("Core", "words know nothing but the base library and a hash", [], ["Blake3"]),
        new("Files", "durable files know nothing but the base library", [], []),
        new("Rpc", "the wire knows no REAPI", [], [Kestrel, Extensions, "Grpc.*"]),
        new(
            "Hosting", "how a program reads its options, logs, starts and ends: under every host, knows none of the rooms",
            ["Core"], [Framework, Extensions, "System.CommandLine"]),
        new("Protocol", "generated words: call types that stubs name, and messages", ["Core"], [Protobuf, Grpc]),
        new("Storage", "bytes: the client side of the wire, no web server, no rules", [.. Words, "Files"], [Protobuf, Grpc, Extensions, "ZstdNet"]),
        new("Assets", "what addresses stand for: fetched, checked, unpacked into a store; serves nobody", [.. Words, "Files", "Storage"], [Protobuf, Grpc, "ZstdNet"]),
        new("Storage.S3", "one store, for one client package", [.. Words, "Storage"], [Protobuf, Grpc, "AWSSDK.*"]),
        new("Scheduling", "pure rules: no I/O, no wire, no bytes", ["Core"], []),
        new("Scheduling.Local", "the rim of the rules: their journal in a file", ["Core", "Files", "Scheduling"], []),
        new("Client", "the calling side, for the CLI, workers and tests", [.. Words, "Files", "Storage"], [Protobuf, Grpc, Extensions]),
        new("Services", "wire to domain, no rules of its own", [.. Words, "Rpc", "Storage", "Assets", "Scheduling"], [Protobuf, Grpc, "Grpc.HealthCheck", "Grpc.Reflection", Extensions]),
        new("Observability", "watches the rooms and counts what they tell", [.. Words, "Rpc", "Storage", "Assets", "Scheduling", "Services"], [Kestrel, Extensions, "prometheus-net*", "Prometheus.*", Protobuf, Grpc]),
        new("Web", "shows snapshots and what Observability collects; the cache and the calls of clients without gRPC", [.. Words, "Rpc", "Storage", "Scheduling", "Observability"], [Kestrel, Extensions, Protobuf, Grpc, "Grpc.Net.Client"]),
        new("Worker", "a host: runs actions for a coordinator it knows by the wire only", [.. Words, "Rpc", "Files", "Storage", "Client", "Hosting"], [Kestrel, Extensions, Protobuf, Grpc, "Grpc.Net.Client", "prometheus-net*", "Prometheus.*"]),
        new("Cli", "a host: speaks to a server by the wire only", [.. Words, "Rpc", "Storage", "Client", "Hosting"], [Protobuf, Grpc, "Grpc.Net.Client", "System.CommandLine", "Spectre.Console*"]),
        new(
            "Server", "the host that composes everything but the CLI",
            [.. Words, "Rpc", "Files", "Storage", "Storage.S3", "Assets", "Scheduling", "Scheduling.Local", "Services", "Observability", "Web", "Worker", "Client", "Hosting"],
            [Kestrel, Extensions, Protobuf, Grpc, "Grpc.Net.Client"]),
    ];

    /// <summary>The arrows of an assembly that its row does not have, each with the reason.</summary>
    public static IEnumerable<string> Violations(string assembly, IEnumerable<string> references)
    {
        string room = WithoutPrefix(assembly);
        if (All.FirstOrDefault(rule => rule.Assembly == room) is not { } rule)
            return [$"{assembly} has no row in ArrowRules: say there what it may depend on"];

        return references
            .Where(reference => !IsBaseLibrary(rule, reference) && !IsAllowed(rule, reference))
            .Select(reference =>
                $"{assembly} -> {reference} is a wrong arrow. {assembly} is allowed {Allowed(rule)}: {rule.Why}");
    }

    private static bool IsAllowed(ArrowRule rule, string reference) => IsOurs(reference)
        ? rule.Rooms.Contains(WithoutPrefix(reference))
        : rule.Packages.Any(package => package.EndsWith('*')
            ? reference.StartsWith(package.TrimEnd('*'), StringComparison.Ordinal)
            : reference == package);

    // By list, not by prefix: packages may be called System.Something too, and those have to be named in a row.
    private static bool IsBaseLibrary(ArrowRule rule, string reference) =>
        BaseLibrary.Contains(reference)
        || (rule.Packages.Contains(Kestrel) && reference is "System.IO.Pipelines" or "System.Threading.RateLimiting");

    private static bool IsOurs(string reference) => reference.StartsWith("RemoteExec.", StringComparison.Ordinal);

    private static string WithoutPrefix(string assembly) => IsOurs(assembly) ? assembly["RemoteExec.".Length..] : assembly;

    private static string Allowed(ArrowRule rule)
    {
        string allowed = string.Join(", ", rule.Rooms.Concat(rule.Packages));
        return allowed.Length == 0 ? "the base library only" : $"the base library, {allowed}";
    }
}
