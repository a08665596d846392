using Google.LongRunning;
using Grpc.Core;
using RemoteExec.Protocol;

namespace RemoteExec.Services;

/// <summary>
/// Owns the end of an Execute or WaitExecution stream: a finished operation or an error status, never otherwise. A stream that just ends,
/// with OK, is a result without a result to a client; most take it for a failed build, where after UNAVAILABLE they come back.
/// </summary>
internal sealed class OperationStream
{
    private static readonly WriteOptions WithTheEnd = new(WriteFlags.BufferHint);

    private readonly IServerStreamWriter<Operation> _responses;
    private readonly AnswerBudget _unsent;
    private readonly ServerCallContext _context;
    private bool _isDone;

    private OperationStream(IServerStreamWriter<Operation> responses, AnswerBudget unsent, ServerCallContext context) =>
        (_responses, _unsent, _context) = (responses, unsent, context);

    /// <summary>Serves a stream to its end, whatever that is.</summary>
    public static async Task ServeAsync(
        IServerStreamWriter<Operation> responses, AnswerBudget unsent, ServerCallContext context, Func<OperationStream, Task> serve)
    {
        var stream = new OperationStream(responses, unsent, context);
        await serve(stream);
        if (!stream._isDone) throw RpcErrors.Unavailable("the operation goes on; ask for it again");
    }

    /// <param name="isHeld">Its bytes are taken from the budget already.</param>
    public async ValueTask SendAsync(Operation operation, bool isHeld)
    {
        long bytes = BytesOf(operation);
        using var held = isHeld ? null : await _unsent.TakeAsync(_context, bytes);
        // Nothing comes after it but the trailers: small, it leaves with them, and nobody waits for a flush of its own.
        if (operation.Done && bytes <= AnswerBudget.SmallBytesMax) _responses.WriteOptions = WithTheEnd;
        await _responses.WriteAsync(operation, _context.CancellationToken);
        _isDone = operation.Done;
    }

    // Both are written already, and all that grows is in them; whoever serialises the message counts the rest.
    private static long BytesOf(Operation operation) => operation.Metadata.Value.Length + (operation.Response?.Value.Length ?? 0);
}
