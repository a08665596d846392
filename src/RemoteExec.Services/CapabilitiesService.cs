using Build.Bazel.Remote.Execution.V2;
using Build.Bazel.Semver;
using Grpc.Core;
using RemoteExec.Protocol;

namespace RemoteExec.Services;

/// <summary>
/// Says what this server can do (REAPI 1.10). Answers come from configuration alone, so that all replicas say the same and
/// no client has to wait for a store.
/// </summary>
public sealed class CapabilitiesService(ServicesOptions options) : Capabilities.CapabilitiesBase
{
    private readonly ServerCapabilities _answer = new()
    {
        // A low above 2.0 stops Bazel up to 6, a deprecated range makes it warn; the high decides which output
        // fields newer clients use (REAPI K1).
        LowApiVersion = new SemVer { Major = 2 },
        HighApiVersion = new SemVer { Major = 2, Minor = 12 },
        CacheCapabilities = CacheOf(options),
        ExecutionCapabilities = options.ExecutionEnabled ? ForExecution(options) : null,
    };

    public override Task<ServerCapabilities> GetCapabilities(GetCapabilitiesRequest request, ServerCallContext context)
    {
        Door.Instance(request.InstanceName);
        return Task.FromResult(_answer);
    }

    private static CacheCapabilities CacheOf(ServicesOptions options) => new()
    {
        DigestFunctions = { DigestFunctions.Supported.Select(function => function.ToWire()) },
        ActionCacheUpdateCapabilities = new ActionCacheUpdateCapabilities { UpdateEnabled = options.ActionCacheUpdateEnabled },
        // In ranges, of which each is one wish; none is left out (REAPI A6).
        CachePriorityCapabilities = ResultPriority.Announced,
        MaxBatchTotalSizeBytes = options.BatchBytesMax,
        MaxCasBlobSizeBytes = options.BlobBytesMax,
        SymlinkAbsolutePathStrategy = options.Limits.Tree.AllowsAbsoluteSymlinks
            ? SymlinkAbsolutePathStrategy.Types.Value.Allowed
            : SymlinkAbsolutePathStrategy.Types.Value.Disallowed,
        // Only what we read and write both ways: Buck2 takes the best one listed without asking anyone (REAPI K4).
        // Identity needs no announcing, and some clients look at the first only (siso).
        SupportedCompressors = { WireCompressor.Zstd },
        SupportedBatchUpdateCompressors = { WireCompressor.Zstd },
        SplitBlobSupport = true,
        SpliceBlobSupport = true,
        // Both: Bazel takes FastCDC where it may choose (REAPI C8).
        FastCdc2020Params = new FastCdc2020Params { AvgChunkSizeBytes = (ulong)options.Chunking.FastCdcAverageBytes },
        RepMaxCdcParams = new RepMaxCdcParams
        {
            MinChunkSizeBytes = (ulong)options.Chunking.RepMaxMinBytes,
            HorizonSizeBytes = (ulong)options.Chunking.RepMaxHorizonBytes,
        },
    };

    private static ExecutionCapabilities ForExecution(ServicesOptions options) => new()
    {
        // Old Bazel compares this one value with its own function (REAPI K3).
        DigestFunction = options.UnnamedDigestFunction.ToWire(),
        DigestFunctions = { DigestFunctions.Supported.Select(function => function.ToWire()) },
        ExecEnabled = true,
        ExecutionPriorityCapabilities = EveryPriority(),
        SupportedNodeProperties = { NodePropertyNames.All },
    };

    // Bazel refuses to start when the user's priority is outside of what is announced (REAPI E11).
    private static PriorityCapabilities EveryPriority() => new()
    {
        Priorities = { new PriorityCapabilities.Types.PriorityRange { MinPriority = int.MinValue, MaxPriority = int.MaxValue } },
    };
}
