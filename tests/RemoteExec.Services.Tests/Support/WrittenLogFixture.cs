using System.Text;
using Build.Bazel.Remote.LogStream.v1;
using Google.Bytestream;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using NUnit.Framework;
using RemoteExec.Rpc;

namespace RemoteExec.Services.Tests;

/// <summary>Logs that clients make, write and read.</summary>
internal abstract class WrittenLogFixture : ServicesFixture
{
    private readonly List<GrpcChannel> _others = [];

    [TearDown]
    public void LeaveOthers()
    {
        foreach (var channel in _others) channel.Dispose();
        _others.Clear();
    }

    protected Task<LogStream> CreateAsync(string parent = "") => CreateAsync(Channel, parent);

    /// <summary>Of another client: on another connection, which stays, since its port would be given to others.</summary>
    protected Task<LogStream> CreateElsewhereAsync()
    {
        _others.Add(RpcChannels.Create(new Uri($"http://{EndPoint}"), new RpcChannelOptions { AttemptsMax = 1 }));
        return CreateAsync(_others[^1], "");
    }

    private async Task<LogStream> CreateAsync(GrpcChannel channel, string parent) =>
        await new LogStreamService.LogStreamServiceClient(channel).CreateLogStreamAsync(new CreateLogStreamRequest { Parent = parent }, cancellationToken: Soon);

    protected static WriteRequest Piece(string name, string text, long offset = 0, bool finish = false) =>
        new() { ResourceName = name, WriteOffset = offset, Data = ByteString.CopyFromUtf8(text), FinishWrite = finish };

    protected async Task<long> WriteAsync(params WriteRequest[] messages)
    {
        using var call = Bytes.Write(cancellationToken: Soon);
        try
        {
            foreach (var message in messages) await call.RequestStream.WriteAsync(message, Soon);
            await call.RequestStream.CompleteAsync();
        }
        catch (Exception early) when (early is RpcException or InvalidOperationException)
        {
            // It is answered before all was sent, and the answer is what counts.
        }

        return (await call.ResponseAsync).CommittedSize;
    }

    protected async Task<string> ReadAsync(string name, long offset = 0, long limit = 0)
    {
        using var call = Follow(name, offset, limit);
        return await ToEndAsync(call);
    }

    protected AsyncServerStreamingCall<ReadResponse> Follow(string name, long offset = 0, long limit = 0) =>
        Bytes.Read(new ReadRequest { ResourceName = name, ReadOffset = offset, ReadLimit = limit }, cancellationToken: Soon);

    protected async Task<string> ToEndAsync(AsyncServerStreamingCall<ReadResponse> call)
    {
        var text = new StringBuilder();
        while (await call.ResponseStream.MoveNext(Soon)) text.Append(call.ResponseStream.Current.Data.ToStringUtf8());
        return text.ToString();
    }

    protected async Task<string> NextAsync(AsyncServerStreamingCall<ReadResponse> call, int bytes)
    {
        var text = new StringBuilder();
        while (text.Length < bytes)
        {
            Assert.That(await call.ResponseStream.MoveNext(Soon), "the log has ended");
            text.Append(call.ResponseStream.Current.Data.ToStringUtf8());
        }

        return text.ToString();
    }

    protected async Task<(long, bool)> StatusAsync(string name)
    {
        var status = await Bytes.QueryWriteStatusAsync(new QueryWriteStatusRequest { ResourceName = name }, cancellationToken: Soon);
        return (status.CommittedSize, status.Complete);
    }
}
