using System.Net;
using System.Net.Sockets;
using System.Security.Authentication;
using Grpc.Core;
using RemoteExec.Core;
using RemoteExec.Protocol;

namespace RemoteExec.Assets;

/// <summary>Downloads over http and https, with the same questions asked of every hop (REAPI S1, S4).</summary>
internal sealed class HttpOrigin : IDisposable
{
    private const int RedirectsMax = 10;
    private const int PieceBytes = 128 << 10;
    private const int HeadersKibibytesMax = 64;

    private static readonly TimeSpan ConnectMax = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan HeadersMax = TimeSpan.FromMinutes(1);

    // A mirror that makes an archive when it is asked for one pauses, too.
    private static readonly TimeSpan SilenceMax = TimeSpan.FromMinutes(1);

    private readonly TimeProvider _time;
    private readonly HttpMessageInvoker _http;

    public HttpOrigin(AssetOptions options, TimeProvider time)
    {
        _time = time;
        var connections = new GuardedConnections(new GuardedAddresses(new AddressGuard(options.Allowed), options.Resolve));
        _http = new HttpMessageInvoker(new SocketsHttpHandler
        {
            AllowAutoRedirect = false, // each hop is looked at
            UseProxy = false, // one that the environment names would be asked in place of the address that was looked at
            UseCookies = false,
            AutomaticDecompression = DecompressionMethods.None, // the content is what its checksum is of
            ConnectTimeout = ConnectMax,
            ConnectCallback = connections.ConnectAsync,
            SslOptions = OriginTrust.Of(options.Authorities),
            MaxResponseHeadersLength = HeadersKibibytesMax,
            MaxResponseDrainSize = 0,
            PooledConnectionLifetime = TimeSpan.FromMinutes(1),
            ActivityHeadersPropagator = null,
        });
    }

    /// <summary>Writes what is there to <paramref name="to"/>.</summary>
    /// <exception cref="RpcException">With the code that REAPI has for it; its text names the host and never the query, which may be a secret.</exception>
    public async Task DownloadAsync(Uri uri, IReadOnlyList<FetchHeader> headers, bool hasIntegrity, SpooledFile to, CancellationToken cancellationToken)
    {
        try
        {
            for (int hop = 0; hop <= RedirectsMax; hop++)
            {
                using var response = await AskAsync(uri, headers, cancellationToken);
                if (RedirectOf(uri, response, hasIntegrity) is not { } next)
                {
                    await ReadAsync(uri, response, to, cancellationToken);
                    return;
                }

                // What authorises at one origin is none of another's business.
                if (next.GetLeftPart(UriPartial.Authority) != uri.GetLeftPart(UriPartial.Authority)) headers = [];
                uri = next;
            }

            throw RpcErrors.Of(StatusCode.NotFound, $"{Name(uri)}: more than {RedirectsMax} redirects");
        }
        catch (Exception failure) when (failure is HttpRequestException or IOException or SocketException)
        {
            throw Explain(uri, failure);
        }
    }

    public void Dispose() => _http.Dispose();

    private static Uri? RedirectOf(Uri uri, HttpResponseMessage response, bool hasIntegrity)
    {
        if (response.StatusCode is not (HttpStatusCode.MovedPermanently or HttpStatusCode.Found or HttpStatusCode.SeeOther
            or HttpStatusCode.TemporaryRedirect or HttpStatusCode.PermanentRedirect)) return null;
        if (response.Headers.Location is not { } location || !Uri.TryCreate(uri, location, out var next) || AssetUris.Problem(next) is not null)
            throw RpcErrors.Of(StatusCode.PermissionDenied, $"{Name(uri)}: redirects to what is not an address of http or https");
        // Whoever sits on the way could give us anything; a checksum would tell.
        if (uri.Scheme == Uri.UriSchemeHttps && next.Scheme != Uri.UriSchemeHttps && !hasIntegrity)
            throw RpcErrors.Of(StatusCode.PermissionDenied, $"{Name(uri)}: redirects from https to http, which is only followed with a checksum");
        return next;
    }

    private static RpcException Refusal(Uri uri, HttpStatusCode code)
    {
        var status = (int)code switch
        {
            401 or 403 or 407 or 451 => StatusCode.PermissionDenied,
            408 or 504 => StatusCode.DeadlineExceeded,
            429 => StatusCode.ResourceExhausted,
            >= 500 => StatusCode.Unavailable,
            _ => StatusCode.NotFound,
        };
        return RpcErrors.Of(status, $"{Name(uri)}: answers {(int)code}");
    }

    private static RpcException Explain(Uri uri, Exception failure)
    {
        for (var cause = failure; cause is not null; cause = cause.InnerException)
        {
            if (cause is RpcException refused) return RpcErrors.Of(refused.StatusCode, $"{Name(uri)}: {refused.Status.Detail}");
            if (cause is AuthenticationException untrusted)
                return RpcErrors.Of(StatusCode.PermissionDenied, $"{Name(uri)}: is not who it says ({untrusted.Message}); --fetch-ca names authorities to trust");
            if (cause is SocketException { SocketErrorCode: SocketError.HostNotFound or SocketError.NoData })
                return RpcErrors.Of(StatusCode.NotFound, $"{Name(uri)}: there is no such host");
        }

        return RpcErrors.Of(StatusCode.Unavailable, $"{Name(uri)}: {failure.Message}");
    }

    private static string Name(Uri uri) => PrintableText.Escape(uri.GetComponents(UriComponents.SchemeAndServer | UriComponents.Path, UriFormat.UriEscaped), 256);

    private async Task<HttpResponseMessage> AskAsync(Uri uri, IReadOnlyList<FetchHeader> headers, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, uri);
        request.Headers.TryAddWithoutValidation("User-Agent", "rexec");
        foreach (var header in headers)
        {
            request.Headers.Remove(header.Name);
            request.Headers.TryAddWithoutValidation(header.Name, header.Value);
        }

        using var patience = new CancellationTokenSource(HeadersMax, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, patience.Token);
        try
        {
            return await _http.SendAsync(request, either.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            // Ours, or the handler's for the connection.
            throw RpcErrors.Of(StatusCode.DeadlineExceeded, $"{Name(uri)}: does not answer");
        }
    }

    private async Task ReadAsync(Uri uri, HttpResponseMessage response, SpooledFile to, CancellationToken cancellationToken)
    {
        if (response.StatusCode is not (HttpStatusCode.OK or HttpStatusCode.NonAuthoritativeInformation)) throw Refusal(uri, response.StatusCode);
        if (response.Content.Headers.ContentLength is { } length) to.Expect(length);

        await using var body = await response.Content.ReadAsStreamAsync(cancellationToken);
        byte[] piece = GC.AllocateUninitializedArray<byte>(PieceBytes);
        using var patience = new CancellationTokenSource(SilenceMax, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, patience.Token);
        try
        {
            for (int read; (read = await body.ReadAsync(piece, either.Token)) > 0;)
            {
                patience.CancelAfter(SilenceMax);
                await to.AppendAsync(piece.AsMemory(0, read), cancellationToken);
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw RpcErrors.Of(StatusCode.DeadlineExceeded, $"{Name(uri)}: sent nothing for {SilenceMax.TotalSeconds} s");
        }
    }
}
