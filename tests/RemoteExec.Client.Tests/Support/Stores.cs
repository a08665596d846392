using RemoteExec.Storage;

namespace RemoteExec.Client.Tests;

/// <summary>Stores that tests put answers into.</summary>
internal static class Stores
{
    public static MemoryBlobStore Memory() => new(limitBytes: 64 << 20, TimeSpan.FromHours(1), TimeProvider.System);

    public static async Task<Digest> PutAsync(this IBlobStore store, string text) =>
        await store.WriteAllAsync(DigestFunction.Sha256, System.Text.Encoding.UTF8.GetBytes(text), CancellationToken.None);

    public static async Task<Digest> PutAsync(this IBlobStore store, Google.Protobuf.IMessage message) =>
        await store.WriteAllAsync(DigestFunction.Sha256, Google.Protobuf.MessageExtensions.ToByteArray(message), CancellationToken.None);
}
