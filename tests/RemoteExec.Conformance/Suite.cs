namespace RemoteExec.Conformance;

/// <summary>Every check, by theme.</summary>
internal static class Suite
{
    public static IReadOnlyList<Check> All { get; } =
    [
        .. CapabilityChecks.All, .. AnnouncementChecks.All, .. EverywhereChecks.All, .. DigestChecks.All, .. ResourceNameChecks.All,
        .. ReadChecks.All, .. WriteChecks.All, .. CompressedWriteChecks.All,
        .. FindMissingChecks.All, .. BatchChecks.All, .. TreeChecks.All, .. ChunkChecks.All, .. ActionCacheChecks.All,
        .. ExecuteRequestChecks.All, .. ExecutionChecks.All, .. LineChecks.All, .. OperationChecks.All,
        .. CommandChecks.All, .. OutputChecks.All, .. ResultMetadataChecks.All,
        .. AssetChecks.All, .. FetchChecks.All, .. PushChecks.All, .. LogStreamChecks.All, .. AbuseChecks.All,
    ];
}
