using System.Buffers;
using System.Globalization;
using System.IO.Pipelines;
using System.Net;
using System.Net.Http.Headers;
using Grpc.Core;

namespace RemoteExec.Rpc;

/// <summary>
/// One call of a client on its message bytes; the typed calls stand on it. Reading throws the
/// <see cref="RpcException"/> that the call ended with.
/// </summary>
public sealed class RawClientCall : IDisposable
{
    private const int ReadBufferBytes = 16 * 1024;

    private readonly RpcChannel _channel;
    private readonly string _method;
    private readonly CallOptions _options;
    private readonly ReadOnlyMemory<byte>? _framedRequest;
    private readonly RequestPipe? _requestPipe;
    private readonly MessageWriter? _requests;
    private readonly long _sentBytes;
    private readonly long _startedAt;
    // Never disposed: without a timer or a handle it holds nothing, and a late deadline may still cancel it.
    private readonly CancellationTokenSource _cancellation = new();
    private readonly CancellationTokenRegistration _userRegistration;
    private readonly CancellationTokenRegistration _closingRegistration;
    private readonly ITimer? _deadlineTimer;
    private readonly Task<HttpResponseMessage?> _response;
    private readonly TaskCompletionSource<Metadata> _responseHeaders = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _gate = new();
    private volatile bool _isPastDeadline;
    private MessageReader? _responses;
    private HttpResponseMessage? _openResponse;
    private bool _isReleased;
    private volatile Ending? _ending;

    internal RawClientCall(RpcChannel channel, string method, CallOptions options, ReadOnlyMemory<byte>? framedRequest)
    {
        _channel = channel;
        _method = method;
        _options = options;
        _framedRequest = framedRequest;
        _startedAt = channel.Options.Time.GetTimestamp();
        _userRegistration = options.CancellationToken.UnsafeRegister(static call => ((RawClientCall)call!).Cancel(), this);
        _closingRegistration = channel.Closing.UnsafeRegister(static call => ((RawClientCall)call!).Cancel(), this);
        if (framedRequest is { } framed)
        {
            _sentBytes = framed.Length - 5; // without the frame's header, as the server counts
        }
        else
        {
            _requestPipe = new RequestPipe(Cancel);
            _requests = new MessageWriter(_requestPipe, channel.Options.CompressRequests, stall: null);
        }

        foreach (var observer in channel.Options.Observers) observer.CallStarted(method);
        if (options.Deadline is { } deadline && deadline != DateTime.MaxValue)
        {
            var remaining = Remaining(deadline);
            if (remaining <= TimeSpan.Zero) OnDeadline(null);
            else _deadlineTimer = channel.Options.Time.CreateTimer(OnDeadline, null, Min(remaining, TimeSpan.FromDays(49)), Timeout.InfiniteTimeSpan);
        }

        _response = SendAsync();
    }

    /// <summary>
    /// Where the requests of a streaming call are written. When a write says false, the server has answered
    /// already: read its answer.
    /// </summary>
    public MessageWriter Requests => _requests ?? throw new InvalidOperationException("the one request is already sent");

    /// <summary>The response that the last successful <see cref="MoveNextAsync"/> fetched; valid until the next.</summary>
    public ReadOnlySequence<byte> Current => _responses?.Current ?? default;

    /// <summary>Completes when the server's headers are there; fails when the call ends without any.</summary>
    public Task<Metadata> ResponseHeadersAsync => _responseHeaders.Task;

    internal bool IsFinished => _ending is not null;

    /// <summary>The status, once the call has ended.</summary>
    public Status GetStatus() => _ending?.Status ?? throw new InvalidOperationException("the call has not ended");

    /// <summary>The trailers, once the call has ended.</summary>
    public Metadata GetTrailers() => _ending?.Trailers ?? throw new InvalidOperationException("the call has not ended");

    /// <summary>Says that no more requests follow.</summary>
    public void CompleteRequests() => _requestPipe?.Complete();

    /// <summary>Fetches the next response; false when the call has ended with OK.</summary>
    /// <exception cref="RpcException">the call has ended with another status</exception>
    public async ValueTask<bool> MoveNextAsync(CancellationToken cancellationToken)
    {
        using var registration = cancellationToken.UnsafeRegister(static call => ((RawClientCall)call!).Cancel(), this);
        var response = await _response;
        if (response is not null && !IsFinished)
        {
            try
            {
                _responses ??= await OpenAsync(response);
                if (await _responses.MoveNextAsync(_cancellation.Token)) return true;
                Finish(ReadStatus(response.TrailingHeaders), ReadMetadata(response.TrailingHeaders));
            }
            catch (Exception exception)
            {
                Finish(StatusOf(exception), []);
                Cancel();
            }

            _responses?.Complete();
        }

        return GetStatus().StatusCode == StatusCode.OK ? false : throw new RpcException(GetStatus(), GetTrailers());
    }

    /// <summary>Ends the call with a status of our own, for a server that breaks the rules.</summary>
    internal RpcException Fail(Status status)
    {
        Finish(status, []);
        Cancel();
        return new RpcException(GetStatus(), GetTrailers());
    }

    /// <summary>Cancels the call if it is still running.</summary>
    public void Dispose()
    {
        if (!IsFinished)
        {
            Cancel();
            Finish(new Status(StatusCode.Cancelled, "the call was given up"), []);
        }

        Release();
    }

    private static TimeSpan Min(TimeSpan one, TimeSpan other) => one < other ? one : other;

    private TimeSpan Remaining(DateTime deadline) => deadline.ToUniversalTime() - _channel.Options.Time.GetUtcNow().UtcDateTime;

    private void Cancel()
    {
        _cancellation.Cancel();
        // The token reaches as far as the response headers; from there on, giving the response back resets the stream.
        Release();
    }

    private void Release()
    {
        HttpResponseMessage? response;
        lock (_gate)
        {
            _isReleased = true;
            response = _openResponse;
            _openResponse = null;
        }

        response?.Dispose();
    }

    /// <summary>Keeps the response for whoever releases it; one that comes too late for that goes at once.</summary>
    private void Keep(HttpResponseMessage response)
    {
        lock (_gate)
        {
            if (!_isReleased)
            {
                _openResponse = response;
                return;
            }
        }

        response.Dispose();
    }

    private void OnDeadline(object? state)
    {
        _isPastDeadline = true;
        Cancel();
    }

    /// <summary>Sends the request, again if it may be; null when the call ended without a response to read.</summary>
    private async Task<HttpResponseMessage?> SendAsync()
    {
        for (int attempt = 1; ; attempt++)
        {
            Status status;
            Metadata trailers = [];
            TimeSpan? pushback = null;
            HttpResponseMessage? response = null;
            StreamedContent? streamed = null;
            try
            {
                var request = CreateRequest(attempt);
                streamed = request.Content as StreamedContent;
                response = await _channel.Http.SendAsync(request, _cancellation.Token);
                if (!TryReadEnd(response, out status))
                {
                    Keep(response);
                    _responseHeaders.TrySetResult(ReadMetadata(response.Headers));
                    return response;
                }

                trailers = ReadMetadata(response.Headers);
                pushback = ReadPushback(response.Headers);
            }
            catch (Exception exception)
            {
                status = StatusOf(exception);
            }
            finally
            {
                streamed?.EndAttempt();
            }

            response?.Dispose();
            if (!MayRetry(attempt, status, pushback))
            {
                Finish(status, trailers);
                return null;
            }

            try
            {
                await Task.Delay(pushback ?? _channel.Options.Retry.DelayAfter(attempt, Random.Shared.NextDouble()),
                    _channel.Options.Time, _cancellation.Token);
            }
            catch (OperationCanceledException exception)
            {
                var end = StatusOf(exception);
                Finish(end with { Detail = $"{end.Detail}; before that: {status.Detail}" }, trailers);
                return null;
            }
        }
    }

    private bool MayRetry(int attempt, Status status, TimeSpan? pushback)
    {
        var retry = _channel.Options.Retry;
        bool isWaitForReady = _options.IsWaitForReady && TransportFailures.IsConnectFailure(status.DebugException)
            && (_options.Deadline is not null || _options.CancellationToken.CanBeCanceled); // an end to the waiting
        return (isWaitForReady || (retry.Codes.Contains(status.StatusCode) && attempt < retry.AttemptsMax))
            && !(pushback < TimeSpan.Zero)
            && _requestPipe?.TryDisconnect() != false; // what was sent is not kept
    }

    private HttpRequestMessage CreateRequest(int attempt)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, _channel.UriOf(_method))
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = _framedRequest is { } framed ? new BufferedContent(framed) : new StreamedContent(_requestPipe!),
        };
        var headers = request.Headers;
        headers.TryAddWithoutValidation("TE", "trailers");
        headers.TryAddWithoutValidation("User-Agent", RpcChannel.UserAgent);
        headers.TryAddWithoutValidation(WireNames.AcceptEncoding, WireNames.AcceptedEncodings);
        if (_channel.Options.CompressRequests) headers.TryAddWithoutValidation(WireNames.Encoding, WireNames.Gzip);
        if (_options.Deadline is { } deadline && deadline != DateTime.MaxValue)
            headers.TryAddWithoutValidation(WireNames.Timeout, GrpcTimeout.Format(Remaining(deadline)));
        if (attempt > 1)
            headers.TryAddWithoutValidation(WireNames.PreviousAttempts, (attempt - 1).ToString(CultureInfo.InvariantCulture));
        foreach (var entry in _options.Headers ?? Metadata.Empty)
            if (MetadataWire.TryToHeaderValue(entry, out string? value))
                headers.TryAddWithoutValidation(entry.Key, value);
        return request;
    }

    private async Task<MessageReader> OpenAsync(HttpResponseMessage response)
    {
        var stream = await response.Content.ReadAsStreamAsync(_cancellation.Token);
        var pipe = PipeReader.Create(stream, new StreamPipeReaderOptions(bufferSize: ReadBufferBytes, leaveOpen: true));
        bool isGzip = response.Headers.TryGetValues(WireNames.Encoding, out var encodings) && encodings.First() == WireNames.Gzip;
        return new MessageReader(pipe, _channel.Options.ReceiveBytesMax, isGzip, stall: null);
    }

    /// <summary>An answer that is over with its headers: no gRPC at all, or trailers-only.</summary>
    private static bool TryReadEnd(HttpResponseMessage response, out Status status)
    {
        bool isGrpc = WireNames.IsGrpcContentType(response.Content.Headers.ContentType?.ToString());
        bool hasStatus = response.Headers.NonValidated.Contains(WireNames.Status);
        status = hasStatus ? ReadStatus(response.Headers)
            : response.StatusCode != HttpStatusCode.OK ? TransportFailures.FromHttpStatus(response.StatusCode)
            : !isGrpc ? new Status(StatusCode.Unknown, "the server's answer is not gRPC")
            : Status.DefaultSuccess;
        return hasStatus || status.StatusCode != StatusCode.OK;
    }

    private static Status ReadStatus(HttpResponseHeaders headers)
    {
        if (!headers.NonValidated.TryGetValues(WireNames.Status, out var codes))
            return new Status(StatusCode.Internal, "the server's answer ends without a status");
        string detail = headers.NonValidated.TryGetValues(WireNames.Message, out var messages)
            ? PercentEncoding.Decode(messages.ToString())
            : "";
        // A code that we do not know is UNKNOWN; its sentence is still worth reading.
        return int.TryParse(codes.ToString(), NumberStyles.None, CultureInfo.InvariantCulture, out int code) && code is >= 0 and <= 16
            ? new Status((StatusCode)code, detail)
            : new Status(StatusCode.Unknown, detail);
    }

    private static Metadata ReadMetadata(HttpResponseHeaders headers)
    {
        var metadata = new Metadata();
        foreach (var (name, values) in headers.NonValidated)
            foreach (string value in values)
                MetadataWire.AddReceived(metadata, name, value);
        return metadata;
    }

    // gRFC A6: a number that is negative, or none at all, means "do not come back".
    private static TimeSpan? ReadPushback(HttpResponseHeaders headers) =>
        !headers.NonValidated.TryGetValues(WireNames.RetryPushback, out var values) ? null
        : int.TryParse(values.ToString(), NumberStyles.None, CultureInfo.InvariantCulture, out int milliseconds)
            ? TimeSpan.FromMilliseconds(milliseconds)
            : TimeSpan.FromMilliseconds(-1);

    private Status StatusOf(Exception exception)
    {
        if (exception is RpcException rpc) return rpc.Status;
        if (_isPastDeadline) return new Status(StatusCode.DeadlineExceeded, "the deadline has passed", exception);
        if (_channel.Closing.IsCancellationRequested) return new Status(StatusCode.Unavailable, "the channel is shut down", exception);
        return _cancellation.IsCancellationRequested
            ? new Status(StatusCode.Cancelled, "the call was cancelled", exception)
            : TransportFailures.FromException(exception, _channel.Address);
    }

    private void Finish(Status status, Metadata trailers)
    {
        if (Interlocked.CompareExchange(ref _ending, new Ending(status, trailers), null) is not null) return;

        _deadlineTimer?.Dispose();
        _userRegistration.Unregister();
        _closingRegistration.Unregister();
        _requestPipe?.Close();
        if (status.StatusCode == StatusCode.OK) _responseHeaders.TrySetResult(trailers);
        else if (_responseHeaders.TrySetException(new RpcException(status, trailers))) _ = _responseHeaders.Task.Exception; // often nobody asks

        if (_channel.Options.Observers.Count == 0) return;
        var report = new RpcCallReport(_method, status.StatusCode, _channel.Options.Time.GetElapsedTime(_startedAt),
            _responses?.TotalBytes ?? 0, _requests?.TotalBytes ?? _sentBytes);
        foreach (var observer in _channel.Options.Observers) observer.CallFinished(report);
    }

    private sealed record Ending(Status Status, Metadata Trailers);
}
