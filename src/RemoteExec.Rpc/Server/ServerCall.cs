using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Grpc.Core;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Logging;

namespace RemoteExec.Rpc;

/// <summary>
/// One call, from its headers to its trailers. What few calls need (metadata, tokens, timers) is made when it is
/// first asked for: an empty unary call should cost little more than its HTTP/2 stream.
/// </summary>
internal sealed class ServerCall : ServerCallContext, IDisposable
{
    // RFC 9113 section 7.
    private const int Http2InternalError = 0x2;
    private const int Http2Cancel = 0x8;

    private readonly IFeatureCollection _features;
    private readonly IHttpRequestFeature _request;
    private readonly IHttpResponseFeature _response;
    private readonly BoundMethod _method;
    private readonly RpcServerOptions _options;
    private readonly StallTimer _sendStall;
    private readonly StallTimer _receiveStall;
    private readonly Lock _gate = new();
    private readonly bool _hasDeadline;
    private readonly DateTime _deadline = DateTime.MaxValue;
    private readonly ITimer? _deadlineTimer;
    private volatile bool _isPastDeadline;
    private CancellationTokenSource? _cancellation;
    private CancellationTokenRegistration _abortRegistration;
    private Status _status = Status.DefaultSuccess;
    private Metadata? _requestHeaders;
    private Metadata? _responseTrailers;
    private Dictionary<object, object>? _userState;
    private AuthContext? _authContext;
    private bool _isHeadersSent;
    private bool _isDisposed;

    /// <exception cref="RpcException">the headers ask for what this server does not do</exception>
    public ServerCall(IFeatureCollection features, BoundMethod method, RpcServerOptions options)
    {
        _features = features;
        _method = method;
        _options = options;
        _request = features.GetRequiredFeature<IHttpRequestFeature>();
        _response = features.GetRequiredFeature<IHttpResponseFeature>();

        var reader = features.GetRequiredFeature<IRequestBodyPipeFeature>().Reader;
        var writer = features.GetRequiredFeature<IHttpResponseBodyFeature>().Writer;
        _sendStall = new StallTimer(options.Time, options.SendStallMax, ResetBlockedStream);
        _receiveStall = new StallTimer(options.Time, method.Options.ReceiveIdleMax ?? Timeout.InfiniteTimeSpan, InterruptRead);

        var headers = _request.Headers;
        string? encoding = headers.GrpcEncoding;
        bool isGzip = encoding == WireNames.Gzip;
        bool compressesResponses = options.CompressResponses && AcceptsGzip(headers.GrpcAcceptEncoding);
        Requests = new MessageReader(reader, method.Options.ReceiveBytesMax ?? options.ReceiveBytesMax, isGzip, _receiveStall);
        Responses = new MessageWriter(writer, compressesResponses, _sendStall);

        _response.Headers.ContentType = WireNames.ContentType;
        if (compressesResponses) _response.Headers.GrpcEncoding = WireNames.Gzip;
        if (!isGzip && encoding is not (null or WireNames.Identity))
        {
            _response.Headers.GrpcAcceptEncoding = WireNames.AcceptedEncodings;
            Refusal = new Status(StatusCode.Unimplemented, $"message encoding {encoding} is not supported");
        }

        string? timeoutText = headers.GrpcTimeout;
        if (timeoutText is null) return;
        if (!GrpcTimeout.TryParse(timeoutText, out var timeout))
        {
            Refusal = new Status(StatusCode.Internal, "grpc-timeout is malformed");
            return;
        }

        _hasDeadline = true;
        var now = options.Time.GetUtcNow().UtcDateTime;
        _deadline = timeout < DateTime.MaxValue - now ? now + timeout : DateTime.MaxValue;
        if (timeout <= TimeSpan.Zero) _isPastDeadline = true;
        // The longest that a timer can; a call this long meets other ends first.
        else _deadlineTimer = options.Time.CreateTimer(OnDeadline, null, Min(timeout, TimeSpan.FromDays(49)), Timeout.InfiniteTimeSpan);
    }

    public MessageReader Requests { get; }

    public MessageWriter Responses { get; }

    /// <summary>Why the call cannot be served at all, known from its headers.</summary>
    public Status? Refusal { get; private set; }

    public bool IsPastDeadline => _isPastDeadline;

    /// <summary>The client took nothing for so long that its stream was reset.</summary>
    public bool HasStalled => _sendStall.HasFired;

    public bool IsAborted => _features.Get<IHttpRequestLifetimeFeature>()?.RequestAborted.IsCancellationRequested == true;

    protected override string MethodCore => _method.FullName;

    protected override string HostCore => _request.Headers.Host.ToString();

    protected override string PeerCore => FormatPeer(_features.Get<IHttpConnectionFeature>());

    protected override DateTime DeadlineCore => _deadline;

    protected override Metadata RequestHeadersCore => _requestHeaders ??= ReadHeaders();

    protected override CancellationToken CancellationTokenCore =>
        _hasDeadline ? DeadlineToken() : _features.GetRequiredFeature<IHttpRequestLifetimeFeature>().RequestAborted;

    protected override Metadata ResponseTrailersCore => _responseTrailers ??= [];

    protected override Status StatusCore
    {
        get => _status;
        set => _status = value;
    }

    protected override WriteOptions? WriteOptionsCore { get; set; }

    protected override AuthContext AuthContextCore => _authContext ??= ReadAuthContext();

    protected override IDictionary<object, object> UserStateCore => _userState ??= [];

    public RawServerCall ToRaw() => new(this, Requests, Responses);

    public async ValueTask<T> ReadSingleAsync<T>(Marshaller<T> marshaller)
        where T : class
    {
        await Requests.ReadSingleAsync(CancellationToken.None);
        var message = ReceivedMessage.Parse(Requests.Current, marshaller);
        Requests.Release();
        return message;
    }

    /// <summary>Leaves the sending to the end of the call, where message and trailers go out together.</summary>
    public void WriteSingle<T>(T message, Marshaller<T> marshaller)
        where T : class
    {
        var flags = WriteOptions?.Flags ?? WriteFlags.None;
        Responses.Write(message, marshaller, mayCompress: (flags & WriteFlags.NoCompress) == 0);
    }

    /// <summary>Runs the handler; never throws.</summary>
    public async Task<Status> RunAsync(ILogger log)
    {
        Status status;
        Metadata? failureTrailers = null;
        try
        {
            if (Refusal is { } refusal) throw new RpcException(refusal);
            if (_isPastDeadline) throw new OperationCanceledException();
            await _method.InvokeAsync(this);
            // A handler that does not mind has not succeeded for all that: its client will never know.
            status = IsAborted ? CallFailures.OfAborted(this, exception: null) : _status;
        }
        catch (Exception exception)
        {
            status = CallFailures.ToStatus(exception, this, log);
            failureTrailers = (exception as RpcException)?.Trailers;
        }

        Requests.Release();
        Finish(status, failureTrailers);
        return status;
    }

    public void Dispose()
    {
        if (_hasDeadline)
            lock (_gate)
                _isDisposed = true;
        _deadlineTimer?.Dispose();
        _sendStall.Dispose();
        _receiveStall.Dispose();
        // The source itself holds nothing once this is gone, and a late tick may still cancel it.
        _abortRegistration.Dispose();
    }

    protected override Task WriteResponseHeadersAsyncCore(Metadata responseHeaders)
    {
        if (_isHeadersSent || Responses.HasWritten) throw new InvalidOperationException("the response headers are already sent");
        _isHeadersSent = true;
        AppendMetadata(_response.Headers, responseHeaders);
        return _features.GetRequiredFeature<IHttpResponseBodyFeature>().StartAsync(CancellationToken.None);
    }

    /// <summary>
    /// Behind bytes that the client does not take, no trailer can pass. The reset also ends the write that waits:
    /// Kestrel does not honour CancelPendingFlush there.
    /// </summary>
    private void ResetBlockedStream() => Interrupt(() => _features.Get<IHttpResetFeature>()?.Reset(Http2Cancel));

    private void InterruptRead() => Interrupt(_features.GetRequiredFeature<IRequestBodyPipeFeature>().Reader.CancelPendingRead);

    /// <summary>
    /// Timers interrupt, and what they throw would end the process. Kestrel throws the stream's own failure, of any
    /// type, when the client's reset comes at the same moment: the wait has ended by itself then.
    /// </summary>
    private static void Interrupt(Action interrupt)
    {
        try
        {
            interrupt();
        }
        catch (Exception)
        {
            // The call learns of that failure where it waits.
        }
    }

    private static TimeSpan Min(TimeSpan one, TimeSpan other) => one < other ? one : other;

    private static bool AcceptsGzip(string? accepted) =>
        accepted is not null && accepted.Split(',').Any(encoding => encoding.AsSpan().Trim().SequenceEqual(WireNames.Gzip));

    private static string FormatPeer(IHttpConnectionFeature? connection) => connection?.RemoteIpAddress switch
    {
        null => "unknown",
        { AddressFamily: AddressFamily.InterNetworkV6, IsIPv4MappedToIPv6: false } address =>
            string.Create(CultureInfo.InvariantCulture, $"ipv6:[{address}]:{connection.RemotePort}"),
        var address => string.Create(CultureInfo.InvariantCulture, $"ipv4:{address.MapToIPv4()}:{connection.RemotePort}"),
    };

    private static void AppendMetadata(IHeaderDictionary headers, Metadata metadata)
    {
        foreach (var entry in metadata)
            if (MetadataWire.TryToHeaderValue(entry, out string? value))
                headers.Append(entry.Key, value);
    }

    /// <summary>
    /// Sends the status: in the trailers behind what was sent, or, if nothing was, in the headers ("trailers-only",
    /// one HEADERS frame with END_STREAM). A message that was cut short leaves only the reset.
    /// </summary>
    private void Finish(in Status status, Metadata? failureTrailers)
    {
        if (Responses.IsInsideMessage)
        {
            bool isGivenUp = status.StatusCode is StatusCode.Cancelled or StatusCode.DeadlineExceeded;
            _features.Get<IHttpResetFeature>()?.Reset(isGivenUp ? Http2Cancel : Http2InternalError);
            return;
        }

        bool isTrailersOnly = !_isHeadersSent && !Responses.HasWritten;
        var trailers = isTrailersOnly
            ? _response.Headers
            : _features.GetRequiredFeature<IHttpResponseTrailersFeature>().Trailers;
        trailers.GrpcStatus = StatusText(status.StatusCode);
        if (status.Detail.Length > 0) trailers.GrpcMessage = PercentEncoding.Encode(status.Detail, WireNames.MessageCharactersMax);
        if (_responseTrailers is not null) AppendMetadata(trailers, _responseTrailers);
        if (failureTrailers is not null && failureTrailers != _responseTrailers) AppendMetadata(trailers, failureTrailers);
    }

    private static string StatusText(StatusCode code) =>
        code == StatusCode.OK ? "0" : ((int)code).ToString(CultureInfo.InvariantCulture);

    private Metadata ReadHeaders()
    {
        var metadata = new Metadata();
        foreach (var (name, values) in _request.Headers)
            foreach (string? value in values)
                MetadataWire.AddReceived(metadata, name, value);
        return metadata;
    }

    private AuthContext ReadAuthContext()
    {
        var certificate = _features.Get<ITlsConnectionFeature>()?.ClientCertificate;
        if (certificate is null) return AuthContext.Anonymous;
        return new AuthContext("x509_common_name",
        [
            new AuthProperty("x509_common_name", certificate.GetNameInfo(
                System.Security.Cryptography.X509Certificates.X509NameType.SimpleName, forIssuer: false)),
            new AuthProperty("x509_subject", certificate.Subject),
            new AuthProperty("x509_thumbprint", certificate.Thumbprint),
        ]);
    }

    private CancellationToken DeadlineToken()
    {
        lock (_gate)
        {
            if (_cancellation is null)
            {
                _cancellation = new CancellationTokenSource();
                if (_isPastDeadline) _cancellation.Cancel();
                _abortRegistration = _features.GetRequiredFeature<IHttpRequestLifetimeFeature>().RequestAborted
                    .UnsafeRegister(static cancellation => ((CancellationTokenSource)cancellation!).Cancel(), _cancellation);
            }

            return _cancellation.Token;
        }
    }

    private void OnDeadline(object? state)
    {
        CancellationTokenSource? cancellation;
        lock (_gate)
        {
            // A late tick: Kestrel may have given the stream to another call already.
            if (_isDisposed) return;
            _isPastDeadline = true;
            cancellation = _cancellation;

            // Reads and writes that wait without the call's token end too.
            _receiveStall.Expire();
            _sendStall.Expire();
        }

        cancellation?.Cancel(); // outside: handlers' callbacks run in it
    }
}
