using Grpc.Core;

namespace RemoteExec.Rpc;

/// <summary>The four call shapes over <see cref="RawClientCall"/>.</summary>
internal sealed class ChannelCallInvoker(RpcChannel channel) : CallInvoker
{
    public override TResponse BlockingUnaryCall<TRequest, TResponse>(
        Method<TRequest, TResponse> method, string? host, CallOptions options, TRequest request) =>
        AsyncUnaryCall(method, host, options, request).GetAwaiter().GetResult();

    public override AsyncUnaryCall<TResponse> AsyncUnaryCall<TRequest, TResponse>(
        Method<TRequest, TResponse> method, string? host, CallOptions options, TRequest request)
    {
        var call = Start(method, options, request);
        return new AsyncUnaryCall<TResponse>(
            ReadSingleAsync(call, method), call.ResponseHeadersAsync, call.GetStatus, call.GetTrailers, call.Dispose);
    }

    public override AsyncServerStreamingCall<TResponse> AsyncServerStreamingCall<TRequest, TResponse>(
        Method<TRequest, TResponse> method, string? host, CallOptions options, TRequest request)
    {
        var call = Start(method, options, request);
        return new AsyncServerStreamingCall<TResponse>(
            new ClientResponseStream<TResponse>(call, method.ResponseMarshaller),
            call.ResponseHeadersAsync, call.GetStatus, call.GetTrailers, call.Dispose);
    }

    public override AsyncClientStreamingCall<TRequest, TResponse> AsyncClientStreamingCall<TRequest, TResponse>(
        Method<TRequest, TResponse> method, string? host, CallOptions options)
    {
        var call = channel.StartRawCall(method.FullName, options);
        return new AsyncClientStreamingCall<TRequest, TResponse>(
            new ClientRequestStream<TRequest>(call, method.RequestMarshaller), ReadSingleAsync(call, method),
            call.ResponseHeadersAsync, call.GetStatus, call.GetTrailers, call.Dispose);
    }

    public override AsyncDuplexStreamingCall<TRequest, TResponse> AsyncDuplexStreamingCall<TRequest, TResponse>(
        Method<TRequest, TResponse> method, string? host, CallOptions options)
    {
        var call = channel.StartRawCall(method.FullName, options);
        return new AsyncDuplexStreamingCall<TRequest, TResponse>(
            new ClientRequestStream<TRequest>(call, method.RequestMarshaller),
            new ClientResponseStream<TResponse>(call, method.ResponseMarshaller),
            call.ResponseHeadersAsync, call.GetStatus, call.GetTrailers, call.Dispose);
    }

    private static async Task<TResponse> ReadSingleAsync<TRequest, TResponse>(
        RawClientCall call, Method<TRequest, TResponse> method)
    {
        using (call)
        {
            if (!await call.MoveNextAsync(CancellationToken.None))
                throw new RpcException(new Status(StatusCode.Internal, "the server's answer is OK, but there is none"));
            TResponse response;
            try
            {
                response = ReceivedMessage.Parse(call.Current, method.ResponseMarshaller);
            }
            catch (RpcException exception)
            {
                throw call.Fail(exception.Status);
            }

            if (await call.MoveNextAsync(CancellationToken.None))
                throw call.Fail(new Status(StatusCode.Internal, "more than one answer where one was expected"));
            return response;
        }
    }

    private RawClientCall Start<TRequest, TResponse>(Method<TRequest, TResponse> method, CallOptions options, TRequest request) =>
        new(channel, method.FullName, options, Framing.Frame(request, method.RequestMarshaller, channel.Options.CompressRequests));
}
