using Grpc.Core;

namespace RemoteExec.Rpc;

/// <summary>
/// A call whose handler reads and writes message bytes itself, without copies: see <see cref="MessageReader"/>
/// and <see cref="MessageWriter"/>.
/// </summary>
public sealed class RawServerCall
{
    internal RawServerCall(ServerCallContext context, MessageReader requests, MessageWriter responses)
    {
        Context = context;
        Requests = requests;
        Responses = responses;
    }

    public ServerCallContext Context { get; }

    public MessageReader Requests { get; }

    public MessageWriter Responses { get; }
}
