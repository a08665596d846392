using System.Net;
using Amazon;
using Amazon.Runtime;
using Amazon.S3;
using Amazon.S3.Model;
using Grpc.Core;
using RemoteExec.Core;

namespace RemoteExec.Storage.S3;

/// <summary>The few requests of S3 that blobs need. A miss is a value; every failure is UNAVAILABLE, in words that hold no credentials.</summary>
internal sealed class S3Objects : IDisposable
{
    private readonly AmazonS3Client _client;
    private readonly S3BlobStoreOptions _options;

    public S3Objects(S3BlobStoreOptions options, AWSCredentials? credentials)
    {
        _options = options;
        var config = new AmazonS3Config
        {
            ForcePathStyle = options.UsesPathStyle,
            // With the SDK's own default, checksums in trailers, other services refuse every put.
            RequestChecksumCalculation = RequestChecksumCalculation.WHEN_REQUIRED,
            ResponseChecksumValidation = ResponseChecksumValidation.WHEN_REQUIRED,
            Timeout = options.RequestMax,
            MaxErrorRetry = 2,
        };
        if (options.Endpoint is { } endpoint) (config.ServiceURL, config.AuthenticationRegion) = (endpoint.AbsoluteUri, options.Region);
        else config.RegionEndpoint = RegionEndpoint.GetBySystemName(options.Region);
        _client = credentials is null ? new AmazonS3Client(config) : new AmazonS3Client(credentials, config);
    }

    /// <summary>Size and age of an object; null when there is none.</summary>
    public ValueTask<(long Bytes, DateTimeOffset Written)?> HeadAsync(Digest digest, CancellationToken cancellationToken) =>
        AskAsync<(long, DateTimeOffset)?>("HEAD", async cancelled =>
        {
            var found = await _client.GetObjectMetadataAsync(new GetObjectMetadataRequest { BucketName = _options.Bucket, Key = KeyOf(digest) }, cancelled);
            return (found.ContentLength, found.LastModified is { } written ? new DateTimeOffset(written.ToUniversalTime()) : _options.Time.GetUtcNow());
        }, cancellationToken);

    /// <summary>An object from an offset on; null when there is none.</summary>
    public ValueTask<GetObjectResponse?> GetAsync(Digest digest, long offset, CancellationToken cancellationToken) =>
        AskAsync<GetObjectResponse?>("GET", async cancelled => await _client.GetObjectAsync(
            new GetObjectRequest
            {
                BucketName = _options.Bucket,
                Key = KeyOf(digest),
                ByteRange = offset > 0 ? new ByteRange(offset, digest.SizeBytes - 1) : null,
            },
            cancelled), cancellationToken);

    public async ValueTask PutAsync(Digest digest, byte[] data, int bytes, CancellationToken cancellationToken) => Found(await AskAsync("PUT", async cancelled =>
    {
        using var stream = new MemoryStream(data, 0, bytes, writable: false);
        return await _client.PutObjectAsync(
            new PutObjectRequest { BucketName = _options.Bucket, Key = KeyOf(digest), InputStream = stream, UseChunkEncoding = false, AutoCloseStream = false }, cancelled);
    }, cancellationToken));

    /// <returns>The name of the upload.</returns>
    public async ValueTask<string> BeginAsync(Digest digest, CancellationToken cancellationToken) => Found(await AskAsync("POST", async cancelled =>
        (await _client.InitiateMultipartUploadAsync(new InitiateMultipartUploadRequest { BucketName = _options.Bucket, Key = KeyOf(digest) }, cancelled)).UploadId,
        cancellationToken));

    public async ValueTask<PartETag> PutPartAsync(Digest digest, string upload, int number, byte[] data, int bytes, CancellationToken cancellationToken) =>
        Found(await AskAsync("PUT", async cancelled =>
        {
            using var stream = new MemoryStream(data, 0, bytes, writable: false);
            var answer = await _client.UploadPartAsync(
                new UploadPartRequest
                {
                    BucketName = _options.Bucket,
                    Key = KeyOf(digest),
                    UploadId = upload,
                    PartNumber = number,
                    PartSize = bytes,
                    InputStream = stream,
                    UseChunkEncoding = false,
                },
                cancelled);
            return new PartETag(number, answer.ETag);
        }, cancellationToken));

    public async ValueTask CompleteAsync(Digest digest, string upload, List<PartETag> parts, CancellationToken cancellationToken) => Found(await AskAsync(
        "POST",
        async cancelled => await _client.CompleteMultipartUploadAsync(
            new CompleteMultipartUploadRequest { BucketName = _options.Bucket, Key = KeyOf(digest), UploadId = upload, PartETags = parts }, cancelled),
        cancellationToken));

    public async ValueTask AbortAsync(Digest digest, string upload, CancellationToken cancellationToken) => await AskAsync(
        "DELETE",
        async cancelled => await _client.AbortMultipartUploadAsync(
            new AbortMultipartUploadRequest { BucketName = _options.Bucket, Key = KeyOf(digest), UploadId = upload }, cancelled),
        cancellationToken);

    public RpcException Failed(string verb, string reason, Exception? inner) =>
        new(new Status(StatusCode.Unavailable, $"S3 bucket {_options.Bucket}: {verb}: {reason}", inner));

    public void Dispose() => _client.Dispose();

    // Two digits of the hash make folders, for services that keep objects as files.
    private string KeyOf(in Digest digest) => $"{_options.Prefix}cas/{digest.Function.WireName()}/{digest.Hash[..2]}/{digest.Hash}-{digest.SizeBytes}";

    private async ValueTask<T?> AskAsync<T>(string verb, Func<CancellationToken, Task<T>> ask, CancellationToken cancellationToken)
    {
        try
        {
            return await ask(cancellationToken);
        }
        catch (AmazonServiceException absent) when (absent.StatusCode == HttpStatusCode.NotFound && absent.ErrorCode is not "NoSuchBucket")
        {
            return default;
        }
        catch (AmazonServiceException refused)
        {
            // Its message may name keys.
            throw Failed(verb, refused.StatusCode == 0 ? refused.ErrorCode ?? "no answer" : $"{(int)refused.StatusCode} {refused.ErrorCode}", refused);
        }
        catch (Exception failure) when (failure is HttpRequestException or IOException or TimeoutException or AmazonClientException or OperationCanceledException
            && !cancellationToken.IsCancellationRequested)
        {
            throw Failed(verb, failure is AmazonClientException ? "no credentials, or none that can be read" : "no answer", failure);
        }
    }

    // Whoever asks for an upload that is gone has lost it.
    private T Found<T>(T? answer) where T : class => answer ?? throw Failed("upload", "404 NoSuchUpload", inner: null);
}
