namespace RemoteExec.Conformance;

/// <summary>Every check, by theme.</summary>
internal static class Suite
{
    public static IReadOnlyList<Check> All { get; } =
    [
        .. CapabilityChecks.All, .. EverywhereChecks.All, .. DigestChecks.All, .. ResourceNameChecks.All,
        .. ReadChecks.All, .. WriteChecks.All, .. CompressedWriteChecks.All,
        .. FindMissingChecks.All, .. BatchChecks.All, .. TreeChecks.All, .. ChunkChecks.All, .. ActionCacheChecks.All,
        .. ExecuteRequestChecks.All, .. ExecutionChecks.All, .. OperationChecks.All,
        .. CommandChecks.All, .. OutputChecks.All, .. ResultMetadataChecks.All,
        .. AssetChecks.All, .. LogStreamChecks.All, .. AbuseChecks.All,
    ];
}
