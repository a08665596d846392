using System.Globalization;
using Grpc.AspNetCore.Server;
using Grpc.Core;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace RemoteExec.Rpc;

/// <summary>What we hold of a running call beside Grpc.AspNetCore: its limits on waiting, its bytes, and how it really ended.</summary>
internal sealed class RpcCall : IDisposable
{
    // RFC 9113 section 7.
    private const int Http2InternalError = 0x2;
    private const int Http2Cancel = 0x8;

    // One frame: what is smaller is not worth a flush of its own, and little to hold.
    private const int RestBytesMin = 16 << 10;

    private readonly HttpContext _context;
    private readonly ClientFrames? _frames;
    private readonly TimeSpan _deadlineSlack;
    private readonly int _stream;
    private readonly RequestBody _body;
    private readonly ResponseBody _response;
    private readonly CancellationToken _aborted;
    private readonly CancellationToken _leaving;
    private readonly CancellationTokenSource? _either;
    private readonly CancellationTokenRegistration _interrupting;
    private bool _isBroken;
    private List<IDisposable>? _held;

    /// <param name="leaving">Fires when the server ends the streams that have no end of their own.</param>
    public RpcCall(HttpContext context, ServedMethod method, RpcServerOptions options, CancellationToken leaving)
    {
        _context = context;
        Method = method;
        _aborted = context.RequestAborted;
        var connection = RpcConnection.Of(context);
        _frames = connection?.Frames;
        _deadlineSlack = options.DeadlineSlack;
        _stream = ClientFrames.StreamOf(context);
        SendStall = new StallTimer(options.Time, options.SendStallMax, () => Reset(Http2Cancel));
        _body = new RequestBody(
            context.Features.GetRequiredFeature<IRequestBodyPipeFeature>().Reader,
            options.Time, method.Limits.ReceiveIdleMax ?? options.ReceiveIdleMax);
        context.Features.Set<IRequestBodyPipeFeature>(_body);
        _response = new ResponseBody(context.Features.GetRequiredFeature<IHttpResponseBodyFeature>());
        context.Features.Set<IHttpResponseBodyFeature>(_response);
        SendStall.Taken = connection?.Taken;
        if (!method.Limits.EndsWithServer) return;

        // The call's own token is made of this one, so its handler ends as if the client had left.
        _leaving = leaving;
        _either = CancellationTokenSource.CreateLinkedTokenSource(_aborted, leaving);
        context.RequestAborted = _either.Token;
        _interrupting = leaving.UnsafeRegister(static body => ((RequestBody)body!).Interrupt(), _body);
    }

    public ServedMethod Method { get; }

    /// <summary>Resets the stream: behind bytes that the client does not take, no trailer can pass.</summary>
    public StallTimer SendStall { get; }

    /// <inheritdoc cref="RequestBody.IdleMax"/>
    public TimeSpan ReceiveIdleMax
    {
        set => _body.IdleMax = value;
    }

    public long ReceivedBytes { get; set; }

    public long SentBytes { get; set; }

    /// <summary>The request was read, or its stream is there to be read: what fails now fails inside an interceptor.</summary>
    public bool HasReachedHandler
    {
        get;
        set
        {
            field = value;
            _frames?.Read(_stream);
        }
    }

    /// <summary>By whichever of its signals comes first; the slowest is the token.</summary>
    public bool HasClientLeft => _body.HasClientLeft || _response.HasClientLeft || _aborted.IsCancellationRequested;

    /// <summary>
    /// The client does not want this call any more, and has said so: RST_STREAM with CANCEL. A connection that was lost says nothing, and
    /// neither does a client whose patience with this call, not with what it asked for, is over: its deadline.
    /// </summary>
    public bool HasClientCancelled => _frames?.WasCancelled(_stream) == true && !IsLate(_deadlineSlack);

    /// <summary>The server leaves, and this stream has no other end.</summary>
    public bool IsEnded => _leaving.IsCancellationRequested;

    public static RpcCall Of(ServerCallContext context) => context.GetHttpContext().Features.GetRequiredFeature<RpcCall>();

    /// <summary>Gives it back at the end of all, when the answer has left.</summary>
    public void Hold(IDisposable held) => (_held ??= []).Add(held);

    /// <summary>A message was cut short: only this keeps the client from taking it for a whole one.</summary>
    public void ResetBroken()
    {
        _isBroken = true;
        Reset(Http2InternalError);
    }

    /// <summary>
    /// Sets right what Grpc.AspNetCore answers before any interceptor is asked, because a request of one message could not be read.
    /// </summary>
    public void MendRefusal(CallFailures failures)
    {
        if (_context.Features.Get<IServerCallContextFeature>()?.ServerCallContext is not { Status: var status }) return;
        if (status is { StatusCode: StatusCode.Unknown, DebugException: MessageCutShortException broken }) failures.ToRpc(broken, this);
        if (HasReachedHandler || _context.Response.HasStarted || status.StatusCode == StatusCode.OK) return;

        // What a marshaller refuses has its code (CheckedMessages); of the package's own refusals the reason tells more than theirs.
        var reason = status.StatusCode == StatusCode.InvalidArgument ? null : status.DebugException;
        var mended = failures.OfRequest(reason ?? new RpcException(status), this);
        var headers = _context.Response.Headers;
        headers.GrpcStatus = ((int)mended.StatusCode).ToString(CultureInfo.InvariantCulture);
        headers.GrpcMessage = StatusText.Encode(mended.Status.Detail);
        foreach (var entry in mended.Trailers)
            headers[entry.Key] = entry.IsBinary ? Convert.ToBase64String(entry.ValueBytes) : entry.Value;
    }

    /// <summary>
    /// The package leaves an answer of one message to be sent behind the call, where nothing would ever take it from a client that does not
    /// read. The frames are the same as without the flush.
    /// </summary>
    public async ValueTask SendRestAsync(CallFailures failures)
    {
        var output = _context.Response.BodyWriter;
        if (!output.CanGetUnflushedBytes || output.UnflushedBytes < RestBytesMin) return;

        SendStall.Arm();
        try
        {
            await output.FlushAsync();
        }
        catch (Exception failure)
        {
            failures.OfLeft(failure, this); // the stream is gone, which its handler has not lived to see
        }
        finally
        {
            SendStall.Disarm();
        }
    }

    /// <summary>How the call ended, for those who count: whatever its handler made of it, nobody has read a status after a reset.</summary>
    public StatusCode Outcome()
    {
        var told = ToldStatus();
        if (SendStall.HasFired) return StatusCode.DeadlineExceeded;
        if (_isBroken) return told == StatusCode.OK ? StatusCode.Internal : told;
        if (!HasClientLeft || told == StatusCode.DeadlineExceeded) return told;
        // A client resets its stream when its own clock says that the deadline has passed, perhaps just before ours does.
        return IsLate(TimeSpan.Zero) ? StatusCode.DeadlineExceeded : StatusCode.Cancelled;
    }

    public void Dispose()
    {
        if (!HasReachedHandler) _frames?.Read(_stream);
        foreach (var held in _held ?? []) held.Dispose();
        SendStall.Dispose();
        _body.Dispose();
        _interrupting.Dispose();
        _either?.Dispose();
    }

    // Max where there is none.
    private bool IsLate(TimeSpan slack) =>
        _context.Features.Get<IServerCallContextFeature>()?.ServerCallContext is { Deadline: var deadline }
        && deadline != DateTime.MaxValue && deadline - slack <= TimeProvider.System.GetUtcNow().UtcDateTime;

    private StatusCode ToldStatus()
    {
        // Trailers, unless there was nothing before them: then all is in the headers.
        string? text = _context.Response.HasStarted ? _context.Features.Get<IHttpResponseTrailersFeature>()?.Trailers.GrpcStatus : null;
        text ??= _context.Response.Headers.GrpcStatus;
        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int code) ? (StatusCode)code : StatusCode.Unknown;
    }

    private void Reset(int http2Error) => _context.Features.Get<IHttpResetFeature>()?.Reset(http2Error);
}
