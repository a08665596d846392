namespace Grpc.Core;

/// <summary>Who the peer is, as far as TLS has proved it.</summary>
public sealed class AuthContext(string? peerIdentityPropertyName, IReadOnlyList<AuthProperty> properties)
{
    /// <summary>A peer that proved nothing.</summary>
    public static readonly AuthContext Anonymous = new(null, []);

    public bool IsPeerAuthenticated => peerIdentityPropertyName is not null;

    public string? PeerIdentityPropertyName => peerIdentityPropertyName;

    public IEnumerable<AuthProperty> PeerIdentity =>
        properties.Where(property => property.Name == peerIdentityPropertyName);

    public IEnumerable<AuthProperty> Properties => properties;

    public IEnumerable<AuthProperty> FindPropertiesByName(string name) =>
        properties.Where(property => property.Name == name);
}
