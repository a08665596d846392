using System.Collections.Concurrent;
using System.Threading.Channels;
using Google.Bytestream;
using Google.Protobuf;
using Grpc.Core;

namespace RemoteExec.Client.Tests;

/// <summary>The other end of ByteStream.Read: streams that grow when a test says so.</summary>
internal sealed class ScriptedLogs : CallInvoker
{
    private readonly ConcurrentDictionary<string, Log> _logs = new();
    private readonly ConcurrentQueue<string> _reads = new();

    /// <summary>The names that were read, in order.</summary>
    public IReadOnlyList<string> Reads => [.. _reads];

    public ValueTask SayAsync(string name, string text) =>
        Find(name).Pieces.Writer.WriteAsync(new ReadResponse { Data = ByteString.CopyFromUtf8(text) });

    public void End(string name, StatusCode code) =>
        Find(name).Pieces.Writer.Complete(code == StatusCode.OK ? null : new RpcException(new Status(code, "the end")));

    /// <summary>Completes when the reader has done with all that was said, and asks for more.</summary>
    public async Task TakenAsync(string name)
    {
        var log = Find(name);
        while (log.Pieces.Reader.Count > 0 || !log.IsAsking) await log.Asked.Reader.ReadAsync();
    }

    public override AsyncServerStreamingCall<TResponse> AsyncServerStreamingCall<TRequest, TResponse>(
        Method<TRequest, TResponse> method, string? host, CallOptions options, TRequest request)
    {
        string name = ((ReadRequest)(object)request).ResourceName;
        _reads.Enqueue(name);
        var stream = (IAsyncStreamReader<TResponse>)(object)Find(name);
        return new AsyncServerStreamingCall<TResponse>(stream, Task.FromResult(new Metadata()), () => Status.DefaultSuccess, () => [], () => { });
    }

    public override TResponse BlockingUnaryCall<TRequest, TResponse>(
        Method<TRequest, TResponse> method, string? host, CallOptions options, TRequest request) => throw Unexpected(method);

    public override AsyncUnaryCall<TResponse> AsyncUnaryCall<TRequest, TResponse>(
        Method<TRequest, TResponse> method, string? host, CallOptions options, TRequest request) => throw Unexpected(method);

    public override AsyncClientStreamingCall<TRequest, TResponse> AsyncClientStreamingCall<TRequest, TResponse>(
        Method<TRequest, TResponse> method, string? host, CallOptions options) => throw Unexpected(method);

    public override AsyncDuplexStreamingCall<TRequest, TResponse> AsyncDuplexStreamingCall<TRequest, TResponse>(
        Method<TRequest, TResponse> method, string? host, CallOptions options) => throw Unexpected(method);

    private static NotSupportedException Unexpected(IMethod method) => new($"{method.FullName} is not in the script");

    private Log Find(string name) => _logs.GetOrAdd(name, _ => new Log());

    private sealed class Log : IAsyncStreamReader<ReadResponse>
    {
        private ReadResponse? _current;
        private volatile bool _isAsking;

        public Channel<ReadResponse> Pieces { get; } = Channel.CreateUnbounded<ReadResponse>();

        /// <summary>One entry for each time that the reader found nothing.</summary>
        public Channel<bool> Asked { get; } = Channel.CreateUnbounded<bool>();

        public bool IsAsking => _isAsking;

        public ReadResponse Current => _current ?? throw new InvalidOperationException("read before MoveNext");

        public async Task<bool> MoveNext(CancellationToken cancellationToken)
        {
            if (Pieces.Reader.TryRead(out _current)) return true;

            _isAsking = true;
            Asked.Writer.TryWrite(true);
            if (!await Pieces.Reader.WaitToReadAsync(cancellationToken)) return false; // still asking, and answered
            _isAsking = false;
            return Pieces.Reader.TryRead(out _current);
        }
    }
}
