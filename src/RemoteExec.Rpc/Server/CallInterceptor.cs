using Grpc.Core;
using Grpc.Core.Interceptors;

namespace RemoteExec.Rpc;

/// <summary>Around every handler: whatever it throws becomes a status, its streams have an end to every wait, its bytes are counted.</summary>
internal sealed class CallInterceptor(CallFailures failures) : Interceptor
{
    public override async Task<TResponse> UnaryServerHandler<TRequest, TResponse>(
        TRequest request, ServerCallContext context, UnaryServerMethod<TRequest, TResponse> continuation)
    {
        var call = Enter(context, request);
        try
        {
            var response = await continuation(request, context);
            if (response is IRpcMessage message) call.SentBytes += message.LengthBytes;
            return response;
        }
        catch (Exception failure)
        {
            throw failures.ToRpc(failure, call);
        }
    }

    public override async Task<TResponse> ClientStreamingServerHandler<TRequest, TResponse>(
        IAsyncStreamReader<TRequest> requestStream, ServerCallContext context, ClientStreamingServerMethod<TRequest, TResponse> continuation)
    {
        var call = Enter(context);
        try
        {
            return await continuation(new CallReader<TRequest>(requestStream, call, failures), context);
        }
        catch (Exception failure)
        {
            throw failures.ToRpc(failure, call);
        }
    }

    public override async Task ServerStreamingServerHandler<TRequest, TResponse>(
        TRequest request, IServerStreamWriter<TResponse> responseStream, ServerCallContext context,
        ServerStreamingServerMethod<TRequest, TResponse> continuation)
    {
        var call = Enter(context, request);
        try
        {
            await continuation(request, new CallWriter<TResponse>(responseStream, call), context);
            ThrowIfEnded(call);
        }
        catch (Exception failure)
        {
            throw failures.ToRpc(failure, call);
        }
    }

    public override async Task DuplexStreamingServerHandler<TRequest, TResponse>(
        IAsyncStreamReader<TRequest> requestStream, IServerStreamWriter<TResponse> responseStream, ServerCallContext context,
        DuplexStreamingServerMethod<TRequest, TResponse> continuation)
    {
        var call = Enter(context);
        try
        {
            await continuation(new CallReader<TRequest>(requestStream, call, failures), new CallWriter<TResponse>(responseStream, call), context);
            ThrowIfEnded(call);
        }
        catch (Exception failure)
        {
            throw failures.ToRpc(failure, call);
        }
    }

    private static RpcCall Enter(ServerCallContext context, object? request = null)
    {
        var call = RpcCall.Of(context);
        call.HasReachedHandler = true;
        if (request is IRpcMessage message) call.ReceivedBytes += message.LengthBytes;
        return call;
    }

    // A handler that took the end for its client's leaving ends quietly; its client, who is still there, is told.
    private static void ThrowIfEnded(RpcCall call)
    {
        if (call.IsEnded) throw new OperationCanceledException("the server leaves");
    }
}
