using Grpc.Core;

namespace RemoteExec.Conformance;

/// <summary>Runs checks against one server, each with a deadline of its own.</summary>
internal sealed class CheckRunner(Connection connection, TimeSpan answerWithin)
{
    // An action, its inputs and outputs, on a machine that has other things to do.
    public static readonly TimeSpan DefaultPatience = TimeSpan.FromSeconds(60);

    public async Task<Finding> RunAsync(Check check, CancellationToken cancellationToken)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        deadline.CancelAfter(answerWithin);
        try
        {
            string seen = await check.Look(new Peer(connection, deadline.Token));
            return new Finding(check, check.Accepts(seen) ? Verdict.Passed : Verdict.Failed, seen);
        }
        catch (NotOfferedException absence)
        {
            return new Finding(check, Verdict.NotOffered, absence.Message);
        }
        catch (Exception) when (deadline.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            return new Finding(check, Verdict.Failed, $"nothing within {answerWithin.TotalSeconds:0} s");
        }
        catch (HttpRequestException failure)
        {
            // Below gRPC: the connection was closed, or the answer was none.
            return new Finding(check, Verdict.Failed, failure.HttpRequestError.ToString(), failure.Message);
        }
        catch (RpcException failure)
        {
            string seen = StatusNames.Of(failure.StatusCode);
            return new Finding(check, check.Accepts(seen) ? Verdict.Passed : Verdict.Failed, seen, failure.Status.Detail);
        }
    }
}
