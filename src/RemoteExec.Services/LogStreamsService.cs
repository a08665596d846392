using Build.Bazel.Remote.LogStream.v1;
using Grpc.Core;
using RemoteExec.Protocol;

namespace RemoteExec.Services;

/// <summary>Logs that clients make (REAPI R24, S5). They are written and read through <see cref="ByteStreamService"/>.</summary>
internal sealed class LogStreamsService(WrittenLogs logs) : LogStreamService.LogStreamServiceBase
{
    public override Task<LogStream> CreateLogStream(CreateLogStreamRequest request, ServerCallContext context)
    {
        if (!InstanceName.TryParse(request.Parent, out var instance, out string? error)) throw RpcErrors.InvalidField("parent", error);

        // Behind a parent of the keyword's words the same name could be meant for another.
        if (!WrittenLogName.TryParse(new WrittenLogName(instance, 0).ToString(), out var read) || read.Instance != instance)
            throw RpcErrors.InvalidField("parent", "names of log streams could not be told apart under this parent; leave the word 'logstreams' out of it");

        var log = logs.Create(instance, context.Peer);
        return Task.FromResult(new LogStream { Name = log.Name.ToString(), WriteResourceName = log.Name.ToStringWith(log.Token) });
    }
}
