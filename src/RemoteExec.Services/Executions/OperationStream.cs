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
    private readonly IServerStreamWriter<Operation> _responses;
    private readonly AnswerBudget _unsent;
    private readonly string _connection;
    private bool _isDone;

    private OperationStream(IServerStreamWriter<Operation> responses, AnswerBudget unsent, string connection) =>
        (_responses, _unsent, _connection) = (responses, unsent, connection);

    /// <summary>Serves a stream to its end, whatever that is.</summary>
    public static async Task ServeAsync(IServerStreamWriter<Operation> responses, AnswerBudget unsent, string connection, Func<OperationStream, Task> serve)
    {
        var stream = new OperationStream(responses, unsent, connection);
        await serve(stream);
        if (!stream._isDone) throw RpcErrors.Unavailable("the operation goes on; ask for it again");
    }

    /// <param name="isHeld">Its bytes are taken from the budget already.</param>
    public async ValueTask SendAsync(Operation operation, bool isHeld, CancellationToken cancellationToken)
    {
        using var held = isHeld ? null : await _unsent.TakeAsync(_connection, operation.CalculateSize(), cancellationToken);
        await _responses.WriteAsync(operation, cancellationToken);
        _isDone = operation.Done;
    }
}
