namespace RemoteExec.Assets;

/// <summary>One question for the content of URIs, checked.</summary>
/// <param name="Uris">Several sources of the same content, in the order of preference.</param>
/// <param name="Timeout">How long who asks wants to wait; null when he does not say.</param>
/// <param name="OldestAccepted">What was fetched earlier is not good enough.</param>
public sealed record AssetRequest(
    AssetKind Kind, InstanceName Instance, DigestFunction Function, IReadOnlyList<Uri> Uris, FetchQualifiers Qualifiers, TimeSpan? Timeout, DateTimeOffset? OldestAccepted);
