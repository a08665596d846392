using System.Text;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using RemoteExec.Core;
using RemoteExec.Protocol;
using RemoteExec.Rpc;

namespace RemoteExec.Web;

/// <summary>
/// The methods of REAPI, of operations and of Remote Asset for who has only HTTP and JSON, by the routes of their annotations. Each is a call on this server's own gRPC
/// port: the same checks, limits, failures and numbers, and nothing that only one of the two knows.
/// </summary>
/// <remarks>
/// Not the transcoding of ASP.NET Core: 10.0.15 does not start with these annotations, since an instance name of several parts stands in front of others
/// ("A catch-all parameter can only appear as the last segment of the route template"), and it wants services by their types, where ours are put together of methods.
/// </remarks>
internal sealed class JsonGateway(Func<Uri> grpc, TimeProvider time) : IDisposable
{
    /// <summary>A batch of blobs as gRPC takes it, in base64.</summary>
    public const int BodyBytesMax = 16 << 20;

    // Messages lie here whole, as text and as objects; a person or a script asks, not a build.
    private const int CallsMax = 16;

    private const string MetadataHeader = "build.bazel.remote.execution.v2.requestmetadata-bin";

    private static readonly TimeSpan BodyMax = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan TurnMax = TimeSpan.FromSeconds(20);
    private static readonly byte[] LineEnd = [(byte)'\n'];

    private readonly SemaphoreSlim _turns = new(CallsMax);
    private readonly Lock _gate = new();
    private GrpcChannel? _channel;
    private IReadOnlyList<JsonRoute>? _routes;

    /// <summary>Answers what is a path of an annotation; false for all others.</summary>
    public async ValueTask<bool> TryAnswerAsync(HttpContext context)
    {
        string path = context.Request.Path.Value ?? "";
        var matching = new List<(JsonRoute Route, List<(string Field, string Text)> Fields)>();
        foreach (var route in Routes())
        {
            if (route.TryMatch(path, out var fields)) matching.Add((route, fields));
        }

        if (matching.Count == 0) return false;

        int chosen = matching.FindIndex(each => each.Route.HttpMethod == context.Request.Method);
        if (chosen < 0)
        {
            context.Response.Headers.Allow = string.Join(", ", matching.Select(each => each.Route.HttpMethod));
            context.Response.StatusCode = StatusCodes.Status405MethodNotAllowed;
            return true;
        }

        try
        {
            await AnswerAsync(context, matching[chosen].Route, matching[chosen].Fields);
        }
        catch (RpcException failure)
        {
            await TellAsync(context, JsonTexts.HttpStatusOf(failure.StatusCode), failure);
        }
        catch (BadHttpRequestException broken)
        {
            await TellAsync(context, broken.StatusCode, RpcErrors.Invalid($"the body cannot be read: {broken.Message}"));
        }

        return true;
    }

    public void Dispose()
    {
        _channel?.Dispose();
        _turns.Dispose();
    }

    private static CallOptions OptionsFor(HttpContext context)
    {
        var headers = new Metadata();
        byte[] bytes = new byte[8192];
        if (context.Request.Headers[MetadataHeader] is [{ } text] && Convert.TryFromBase64String(text, bytes, out int length)) headers.Add(MetadataHeader, bytes[..length]);
        return new CallOptions(headers, cancellationToken: context.RequestAborted);
    }

    private static async Task TellAsync(HttpContext context, int status, RpcException failure)
    {
        if (context.RequestAborted.IsCancellationRequested) return;
        if (context.Response.HasStarted)
        {
            // In a stream the first lines were sent; the last says why there is no more.
            await context.Response.WriteAsync($"{{\"error\": {JsonTexts.Format(failure)}}}\n", context.RequestAborted);
            return;
        }

        context.Response.StatusCode = status;
        context.Response.ContentType = "application/json";
        await context.Response.WriteAsync(JsonTexts.Format(failure) + "\n", context.RequestAborted);
    }

    private async Task AnswerAsync(HttpContext context, JsonRoute route, List<(string Field, string Text)> fields)
    {
        // A page of somebody's could send a form; JSON a browser sends across sites only after asking, and nobody says yes here.
        if (route.Body is not null && !context.Request.HasJsonContentType())
        {
            await TellAsync(context, StatusCodes.Status415UnsupportedMediaType, RpcErrors.Invalid("the body is application/json"));
            return;
        }

        if (!await _turns.WaitAsync(TurnMax, context.RequestAborted)) throw RpcErrors.Exhausted($"{CallsMax} calls with JSON are under way");
        bool hasTurn = true;
        try
        {
            var request = await ReadAsync(context, route, fields);
            // A stream lasts as long as its action, a fetch as long as its origin: others do not wait for them.
            if (route.Call is null || route.IsLong)
            {
                _turns.Release();
                hasTurn = false;
            }

            context.Response.ContentType = "application/json";
            if (route.Call is { } call)
            {
                await context.Response.WriteAsync(JsonTexts.Format(await call(request, OptionsFor(context))) + "\n", context.RequestAborted);
                return;
            }

            await foreach (var message in route.Stream!(request, OptionsFor(context))) // one of the two is set
            {
                await context.Response.WriteAsync(JsonTexts.Format(message), context.RequestAborted);
                await context.Response.Body.WriteAsync(LineEnd, context.RequestAborted);
                await context.Response.Body.FlushAsync(context.RequestAborted);
            }
        }
        finally
        {
            if (hasTurn) _turns.Release();
        }
    }

    private async ValueTask<IMessage> ReadAsync(HttpContext context, JsonRoute route, List<(string Field, string Text)> fields)
    {
        var request = route.Request.Parser.ParseFrom(ByteString.Empty);
        if (route.Body == "*") request = JsonTexts.Parse(await ReadBodyAsync(context), route.Request);
        else if (route.Body is { } name)
        {
            var field = route.Request.FindFieldByName(name);
            field.Accessor.SetValue(request, JsonTexts.Parse(await ReadBodyAsync(context), field.MessageType));
        }

        foreach (var (key, values) in context.Request.Query)
        {
            // With a body that is all of the message nothing is left for the query; what the path says, nobody says twice.
            if (route.Body == "*" || key == route.Body || fields.Any(each => each.Field == key))
                throw RpcErrors.Invalid($"there is no parameter {PrintableText.Quote(key, 64)}");
            foreach (string? value in values) JsonFields.Set(request, key, value ?? "");
        }

        foreach (var (field, text) in fields) JsonFields.Set(request, field, text);
        return request;
    }

    private async ValueTask<string> ReadBodyAsync(HttpContext context)
    {
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } body) body.MaxRequestBodySize = BodyBytesMax;
        using var patience = new CancellationTokenSource(BodyMax, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, patience.Token);
        try
        {
            using var reader = new StreamReader(context.Request.Body, new UTF8Encoding(false, throwOnInvalidBytes: true), leaveOpen: true);
            return await reader.ReadToEndAsync(either.Token);
        }
        catch (DecoderFallbackException)
        {
            throw RpcErrors.Invalid("the body is not UTF-8");
        }
        catch (IOException broken) when (broken is not BadHttpRequestException)
        {
            // Of a chunk whose size no number holds Kestrel says no more than that.
            throw new BadHttpRequestException(broken.Message, broken);
        }
        catch (OperationCanceledException) when (!context.RequestAborted.IsCancellationRequested)
        {
            throw RpcErrors.Of(StatusCode.DeadlineExceeded, $"the body took longer than {BodyMax.TotalSeconds} s");
        }
    }

    /// <summary>When it is asked for the first time: the port has to be open to be known.</summary>
    private IReadOnlyList<JsonRoute> Routes()
    {
        lock (_gate)
        {
            // The port has its own limits for what it answers, and retries are the caller's.
            _channel ??= RpcChannels.Create(grpc(), new RpcChannelOptions { AttemptsMax = 1, ReceiveBytesMax = int.MaxValue });
            return _routes ??= JsonRoutes.Of(_channel.CreateCallInvoker());
        }
    }
}
