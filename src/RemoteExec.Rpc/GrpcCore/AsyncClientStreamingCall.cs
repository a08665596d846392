using System.Runtime.CompilerServices;

namespace Grpc.Core;

/// <summary>A running call: many messages out, one back.</summary>
public sealed class AsyncClientStreamingCall<TRequest, TResponse> : IDisposable
{
    private readonly Func<Status> _getStatus;
    private readonly Func<Metadata> _getTrailers;
    private readonly Action _dispose;

    public AsyncClientStreamingCall(
        IClientStreamWriter<TRequest> requestStream,
        Task<TResponse> responseAsync,
        Task<Metadata> responseHeadersAsync,
        Func<Status> getStatus,
        Func<Metadata> getTrailers,
        Action disposeAction)
    {
        RequestStream = requestStream;
        ResponseAsync = responseAsync;
        ResponseHeadersAsync = responseHeadersAsync;
        _getStatus = getStatus;
        _getTrailers = getTrailers;
        _dispose = disposeAction;
    }

    /// <summary>Where the requests are written; complete it to end them.</summary>
    public IClientStreamWriter<TRequest> RequestStream { get; }

    /// <summary>The answer, or the RpcException that the call ended with.</summary>
    public Task<TResponse> ResponseAsync { get; }

    /// <summary>Completes when the server's headers are there.</summary>
    public Task<Metadata> ResponseHeadersAsync { get; }

    /// <summary>The status, once the call has ended; before that, InvalidOperationException.</summary>
    public Status GetStatus() => _getStatus();

    /// <summary>The trailers, once the call has ended; before that, InvalidOperationException.</summary>
    public Metadata GetTrailers() => _getTrailers();

    public TaskAwaiter<TResponse> GetAwaiter() => ResponseAsync.GetAwaiter();

    public ConfiguredTaskAwaitable<TResponse> ConfigureAwait(bool continueOnCapturedContext) =>
        ResponseAsync.ConfigureAwait(continueOnCapturedContext);

    /// <summary>Cancels the call if it is still running.</summary>
    public void Dispose() => _dispose();
}
