namespace RemoteExec.Server;

/// <summary>What cannot be of the options that say where blobs are besides this disk, a sentence each with the remedy.</summary>
internal static class FarStoreRules
{
    // Each question goes to all of them, in pairs where blobs are kept twice.
    private const int StorageMax = 32;

    public static IEnumerable<string> Of(ServerOptions options)
    {
        if (options.Storage.Distinct().Count() < options.Storage.Count)
            yield return "--storage: names a server twice; name each once";
        if (options.Storage.Count > StorageMax)
            yield return $"--storage: names {options.Storage.Count} servers, and {StorageMax} are the most; give each of fewer ones a larger --max-cas-size";
        if (options.Storage.Contains(options.Grpc))
            yield return "--storage: names this server itself; leave it out, or let its storage be another process";
        if (options.StorageMirrored && options.Storage.Count < 2)
            yield return "--storage-mirrored: needs two servers at least; name them with --storage HOST:PORT,HOST:PORT";
        if (options.S3Bucket is not null && options.Storage.Count > 0)
            yield return "--s3-bucket: is behind the disk of a server that keeps blobs, and --storage says that others do; give it to those";
        if (options.S3Bucket is null && (options.S3Endpoint is not null || options.S3PathStyle || options.S3ObjectLifetime > TimeSpan.Zero))
            yield return "--s3-bucket: is left out although other options speak of it; name the bucket, or leave those out too";
        if (options.S3Endpoint is { } endpoint && !(Uri.TryCreate(endpoint, UriKind.Absolute, out var url) && url.Scheme is "http" or "https"))
            yield return $"--s3-endpoint: '{endpoint}' is not a URL; write such as http://127.0.0.1:9000 or https://s3.example.com";
        if (options.S3ObjectLifetime > TimeSpan.Zero && options.S3ObjectLifetime <= options.Retention * 2)
            yield return "--s3-object-lifetime: is not even twice --retention, so every object would count as missing soon after it was written; let the bucket keep them for longer";
    }
}
