using RemoteExec.Core;

namespace RemoteExec.Storage.Tests;

/// <summary>Dull blobs.</summary>
internal static class Blobs
{
    public static byte[] Of(int seed, int sizeBytes)
    {
        byte[] data = new byte[sizeBytes];
        new Random(seed).NextBytes(data);
        return data;
    }

    public static Digest DigestOf(byte[] data) => Digest.Of(DigestFunction.Sha256, data);

    public static async Task<Digest> PutAsync(this IBlobStore store, byte[] data) =>
        await store.WriteAllAsync(DigestFunction.Sha256, data, default);

    public static async Task<byte[]?> GetAsync(this IBlobStore store, Digest digest)
    {
        var data = await store.ReadAllAsync(digest, int.MaxValue, default);
        return data?.ToArray();
    }

    public static async Task<bool> HasAsync(this IBlobStore store, Digest digest) =>
        (await store.FindMissingAsync([digest], default)).Count == 0;
}
