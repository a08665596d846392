using Google.Protobuf;
using Grpc.Core;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;
using RemoteExec.Core;
using RemoteExec.Protocol;
using RemoteExec.Storage;
using ActionResult = Build.Bazel.Remote.Execution.V2.ActionResult;

namespace RemoteExec.Web;

/// <summary>
/// The cache for clients without gRPC (Bazel, <c>--remote_cache=http://…</c>): GET, HEAD and PUT of results and blobs. What is served and what is
/// taken is what gRPC serves and takes: complete results, blobs that have their hash.
/// </summary>
internal sealed class HttpCache(HttpCacheSources sources, IBlobStore blobs)
{
    private const int PieceBytes = 128 << 10;

    // Who sends nothing for longer has gone, or would hold a connection for nothing; the same as for an upload over gRPC.
    private static readonly Microsoft.AspNetCore.Server.Kestrel.Core.MinDataRate WritingMin = new(bytesPerSecond: 240, gracePeriod: TimeSpan.FromSeconds(90));

    private readonly HashSizes _sizes = new(sources.Sizes, blobs);

    /// <summary>Answers what is a path of the cache; false for all others.</summary>
    public async ValueTask<bool> TryAnswerAsync(HttpContext context)
    {
        if (!HttpCacheName.TryParse(context.Request.Path.Value ?? "", sources.UnnamedDigestFunction, out var name, out string? error)) return false;

        try
        {
            if (error is not null) Refuse(context, StatusCodes.Status400BadRequest);
            else if (HttpMethods.IsPut(context.Request.Method)) await PutAsync(context, name);
            else if (HttpMethods.IsGet(context.Request.Method) || HttpMethods.IsHead(context.Request.Method)) await GetAsync(context, name);
            else
            {
                context.Response.Headers.Allow = "GET, HEAD, PUT";
                Refuse(context, StatusCodes.Status405MethodNotAllowed);
            }
        }
        catch (RpcException failure) when (!context.Response.HasStarted)
        {
            await TellAsync(context, failure);
        }
        catch (BadHttpRequestException broken) when (!context.Response.HasStarted)
        {
            Refuse(context, broken.StatusCode); // the body is not what its headers said, or too slow
        }

        return true;
    }

    private static void Refuse(HttpContext context, int status) => context.Response.StatusCode = status;

    private static async Task TellAsync(HttpContext context, RpcException failure)
    {
        context.Response.StatusCode = failure.StatusCode switch
        {
            StatusCode.InvalidArgument or StatusCode.OutOfRange => StatusCodes.Status400BadRequest,
            StatusCode.NotFound => StatusCodes.Status404NotFound,
            StatusCode.PermissionDenied => StatusCodes.Status403Forbidden,
            StatusCode.FailedPrecondition => StatusCodes.Status412PreconditionFailed,
            StatusCode.ResourceExhausted => StatusCodes.Status507InsufficientStorage,
            StatusCode.Unavailable => StatusCodes.Status503ServiceUnavailable,
            _ => StatusCodes.Status500InternalServerError,
        };
        context.Response.ContentType = "text/plain; charset=utf-8";
        await context.Response.WriteAsync(PrintableText.Escape(failure.Status.Detail, 1024) + "\n", context.RequestAborted);
    }

    private async Task GetAsync(HttpContext context, HttpCacheName name)
    {
        context.Response.ContentType = "application/octet-stream";
        if (!name.IsResult)
        {
            await GetBlobAsync(context, name);
            return;
        }

        if (await sources.Results.GetAsync(HashSizes.KeyOf(name), context.RequestAborted) is not { } result)
        {
            Refuse(context, StatusCodes.Status404NotFound);
            return;
        }

        await _sizes.RememberAllAsync(result, name.Function, context.RequestAborted);
        PublicUsage.MakePublic(result);
        byte[] bytes = result.ToByteArray();
        context.Response.ContentLength = bytes.Length;
        if (!HttpMethods.IsHead(context.Request.Method)) await context.Response.Body.WriteAsync(bytes, context.RequestAborted);
    }

    private async Task GetBlobAsync(HttpContext context, HttpCacheName name)
    {
        if (await _sizes.FindAsync(name, context.RequestAborted) is not { } digest || await blobs.OpenToEndAsync(digest, offset: 0, context.RequestAborted) is not { } reader)
        {
            Refuse(context, StatusCodes.Status404NotFound);
            return;
        }

        await using (reader)
        {
            context.Response.ContentLength = digest.SizeBytes;
            if (!HttpMethods.IsHead(context.Request.Method)) await reader.ReadToAsync(context.Response.Body, hasher: null, context.RequestAborted);
        }
    }

    private async Task PutAsync(HttpContext context, HttpCacheName name)
    {
        // Before a byte of it is read: a digest has a size, and room is found by it.
        if (context.Request.ContentLength is not { } length)
        {
            Refuse(context, StatusCodes.Status411LengthRequired);
            return;
        }

        long limit = name.IsResult ? sources.ResultBytesMax : sources.BlobBytesMax;
        if (length > limit)
        {
            Refuse(context, StatusCodes.Status413PayloadTooLarge);
            return;
        }

        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } body) body.MaxRequestBodySize = limit;
        if (context.Features.Get<IHttpMinRequestBodyDataRateFeature>() is { } writing) writing.MinDataRate = WritingMin;
        if (name.IsResult) await PutResultAsync(context, name, (int)length);
        else await PutBlobAsync(context, name, length);
    }

    private async Task PutResultAsync(HttpContext context, HttpCacheName name, int length)
    {
        byte[] bytes = new byte[length];
        await context.Request.Body.ReadExactlyAsync(bytes, context.RequestAborted);
        ActionResult result;
        try
        {
            result = ActionResult.Parser.ParseFrom(bytes);
        }
        catch (InvalidProtocolBufferException broken)
        {
            throw RpcErrors.Invalid($"what was sent is no ActionResult: {broken.Message}");
        }

        await sources.StoreResultAsync(HashSizes.KeyOf(name), result, context.RequestAborted);
    }

    private async Task PutBlobAsync(HttpContext context, HttpCacheName name, long length)
    {
        if (!Digest.TryParse(name.Function, name.Hash, length, out var digest, out string? error)) throw RpcErrors.Invalid(error);

        if (!digest.IsEmpty)
        {
            await using var writer = await blobs.CreateWriterAsync(digest, context.RequestAborted);
            byte[] piece = GC.AllocateUninitializedArray<byte>((int)Math.Min(PieceBytes, length));
            for (int read; (read = await context.Request.Body.ReadAsync(piece, context.RequestAborted)) > 0;)
                await writer.AppendAsync(piece.AsMemory(0, read), context.RequestAborted);
            await writer.CommitAsync(context.RequestAborted);
        }

        await _sizes.RememberAsync(digest, context.RequestAborted);
    }
}
