using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;

namespace RemoteExec.Storage.S3.Tests;

/// <summary>The requests of S3 that blobs need, on loopback, by path style; strict in what it takes, and out of order when a test says so.</summary>
internal sealed class SmallS3 : IAsyncDisposable
{
    public const string Bucket = "blobs";

    private readonly WebApplication _application;
    private readonly ConcurrentDictionary<string, (string Key, ConcurrentDictionary<int, byte[]> Parts)> _uploads = new();
    private int _named;
    private TaskCompletionSource _stored = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private SmallS3()
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        _application = builder.Build();
        _application.Run(AnswerAsync);
    }

    /// <summary>By key, without the bucket.</summary>
    public ConcurrentDictionary<string, byte[]> Objects { get; } = new();

    /// <summary>When each was written; now unless a test says something else.</summary>
    public Func<DateTimeOffset> WrittenAt { get; set; } = () => DateTimeOffset.UnixEpoch.AddYears(60);

    public ConcurrentQueue<string> Requests { get; } = new();

    /// <summary>Multipart uploads that were begun, and neither completed nor aborted.</summary>
    public int UnfinishedUploads => _uploads.Count;

    /// <summary>Every request is answered with this.</summary>
    public (int Status, string Code)? Failure { get; set; }

    /// <summary>The next answers with an object break off after so many bytes.</summary>
    public Queue<int> BreakReadsAfter { get; } = new();

    /// <summary>Requests are held up before they are answered.</summary>
    public Func<Task> BeforeAnswerAsync { get; set; } = () => Task.CompletedTask;

    /// <summary>Completes when there is an object of that name.</summary>
    public async Task StoredAsync(string key)
    {
        while (true)
        {
            var next = Volatile.Read(ref _stored).Task;
            if (Objects.ContainsKey(key)) return;
            await next;
        }
    }

    public Uri Address => new(_application.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single());

    public static async Task<SmallS3> StartAsync()
    {
        var service = new SmallS3();
        await service._application.StartAsync();
        return service;
    }

    public async ValueTask DisposeAsync() => await _application.DisposeAsync();

    private async Task AnswerAsync(HttpContext context)
    {
        Requests.Enqueue($"{context.Request.Method} {context.Request.Path}{context.Request.QueryString}");
        await BeforeAnswerAsync();
        if (Failure is { } failure)
        {
            await RefuseAsync(context, failure.Status, failure.Code);
            return;
        }

        string[] path = context.Request.Path.Value!.Split('/', 3);
        if (path[1] != Bucket)
        {
            await RefuseAsync(context, 404, "NoSuchBucket");
            return;
        }

        byte[] body = await BodyAsync(context.Request);
        // Signed as it came: the payload's hash is a header.
        if (body.Length > 0 && context.Request.Headers["x-amz-content-sha256"] != Convert.ToHexStringLower(SHA256.HashData(body)))
        {
            await RefuseAsync(context, 400, "XAmzContentSHA256Mismatch");
            return;
        }

        await AnswerAsync(context, path[2], body);
    }

    private Task AnswerAsync(HttpContext context, string key, byte[] body)
    {
        var query = context.Request.Query;
        string upload = query["uploadId"].ToString();
        if (upload.Length > 0 && !(_uploads.TryGetValue(upload, out var begun) && begun.Key == key)) return RefuseAsync(context, 404, "NoSuchUpload");
        switch (context.Request.Method)
        {
            case "HEAD" or "GET":
                return Objects.TryGetValue(key, out byte[]? data) ? SendAsync(context, data) : RefuseAsync(context, 404, "NoSuchKey");
            case "PUT" when upload.Length > 0:
                _uploads[upload].Parts[int.Parse(query["partNumber"].ToString(), CultureInfo.InvariantCulture)] = body;
                context.Response.Headers.ETag = EtagOf(body);
                return Task.CompletedTask;
            case "PUT":
                Store(key, body);
                context.Response.Headers.ETag = EtagOf(body);
                return Task.CompletedTask;
            case "POST" when query.ContainsKey("uploads"):
                string name = $"upload-{Interlocked.Increment(ref _named)}";
                _uploads[name] = (key, new());
                return XmlAsync(context, $"<InitiateMultipartUploadResult><Bucket>{Bucket}</Bucket><Key>{key}</Key><UploadId>{name}</UploadId></InitiateMultipartUploadResult>");
            case "POST" when _uploads.TryRemove(upload, out var complete):
                Store(key, [.. complete.Parts.OrderBy(part => part.Key).SelectMany(part => part.Value)]);
                return XmlAsync(context, $"<CompleteMultipartUploadResult><Bucket>{Bucket}</Bucket><Key>{key}</Key><ETag>\"x\"</ETag></CompleteMultipartUploadResult>");
            case "DELETE" when _uploads.TryRemove(upload, out _):
                context.Response.StatusCode = 204;
                return Task.CompletedTask;
            default:
                return RefuseAsync(context, 405, "MethodNotAllowed");
        }
    }

    private void Store(string key, byte[] data)
    {
        Objects[key] = data;
        Interlocked.Exchange(ref _stored, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).SetResult();
    }

    private async Task SendAsync(HttpContext context, byte[] data)
    {
        int start = 0;
        if (context.Request.Headers.Range.ToString() is { Length: > 0 } range)
        {
            start = int.Parse(range["bytes=".Length..].Split('-')[0], CultureInfo.InvariantCulture);
            context.Response.StatusCode = 206;
            context.Response.Headers.ContentRange = $"bytes {start}-{data.Length - 1}/{data.Length}";
        }

        context.Response.ContentLength = data.Length - start;
        context.Response.Headers.ETag = EtagOf(data);
        context.Response.Headers.LastModified = WrittenAt().ToString("R", CultureInfo.InvariantCulture);
        if (context.Request.Method == "HEAD") return;

        int end = BreakReadsAfter.TryDequeue(out int breakAfter) ? Math.Min(data.Length, start + breakAfter) : data.Length;
        await context.Response.Body.WriteAsync(data.AsMemory(start, end - start));
        if (end == data.Length) return;
        await context.Response.Body.FlushAsync();
        context.Abort();
    }

    private static async Task<byte[]> BodyAsync(HttpRequest request)
    {
        using var body = new MemoryStream();
        await request.Body.CopyToAsync(body);
        return body.ToArray();
    }

    private static Task RefuseAsync(HttpContext context, int status, string code)
    {
        context.Response.StatusCode = status;
        return context.Request.Method == "HEAD" ? Task.CompletedTask : XmlAsync(context, $"<Error><Code>{code}</Code><Message>key SECRETKEY says no</Message></Error>");
    }

    private static Task XmlAsync(HttpContext context, string xml)
    {
        context.Response.ContentType = "application/xml";
        return context.Response.WriteAsync($"<?xml version=\"1.0\" encoding=\"UTF-8\"?>{xml}");
    }

    // As Amazon's is, and the SDK checks that.
    private static string EtagOf(byte[] data) => $"\"{Convert.ToHexStringLower(CryptographicOperations.HashData(HashAlgorithmName.MD5, data))}\"";
}
