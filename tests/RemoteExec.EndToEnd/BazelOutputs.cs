namespace RemoteExec.EndToEnd;

/// <summary>What the last build of a client left behind.</summary>
internal static class BazelOutputs
{
    public static async Task<OutputHashes> HashOutputsAsync(this BazelClient bazel) =>
        OutputHashes.Of(await bazel.BinFolderAsync());

    public static async Task<string> ReadOutputAsync(this BazelClient bazel, string path) =>
        await File.ReadAllTextAsync(Path.Combine(await bazel.BinFolderAsync(), path));

    public static async Task<bool> HasOutputAsync(this BazelClient bazel, string path) =>
        File.Exists(Path.Combine(await bazel.BinFolderAsync(), path));
}
