using System.Net.Sockets;
using Build.Bazel.Remote.Execution.V2;
using Grpc.Net.Client;

namespace RemoteExec.Conformance;

/// <summary>A connection of its own, to be lost without a word: no goodbye of HTTP/2, no end of streams, as when a machine goes to sleep.</summary>
internal sealed class SeparateLine : IDisposable
{
    private readonly GrpcChannel _channel;
    private Socket? _socket;

    public SeparateLine(Uri address)
    {
        var handler = new SocketsHttpHandler
        {
            UseProxy = false,
            ConnectCallback = async (context, cancellationToken) =>
            {
                _socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
                await _socket.ConnectAsync(context.DnsEndPoint, cancellationToken);
                return new NetworkStream(_socket, ownsSocket: true);
            },
        };
        _channel = GrpcChannel.ForAddress(address, new GrpcChannelOptions { HttpHandler = handler, DisposeHttpClient = true });
    }

    public Execution.ExecutionClient Execution => new(_channel);

    public Capabilities.CapabilitiesClient Capabilities => new(_channel);

    public void Lose()
    {
        _socket!.LingerState = new LingerOption(true, 0); // a reset, nothing is flushed
        _socket.Close();
    }

    public void Dispose() => _channel.Dispose();
}
