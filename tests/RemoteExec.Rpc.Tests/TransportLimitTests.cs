using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace RemoteExec.Rpc.Tests;

/// <summary>Limits of Kestrel that would strangle a call of one message; Grpc.AspNetCore lifts them for streams of the client only.</summary>
public sealed class TransportLimitTests : EchoFixture
{
    private const int LargeBytes = 33_000_000;

    internal override void AddMethods(RpcMethods methods)
    {
        methods.Add<TransportLimitTests>(new RpcLimits { ReceiveBytesMax = LargeBytes }, Echo.Bind, EchoService.UnaryMethod.Name);
        base.AddMethods(methods);
    }

    [Test]
    public async Task A_request_may_be_larger_than_Kestrels_limit_of_a_body()
    {
        Echo.Unary = (request, _) => Task.FromResult($"{request.Length}");
        Assert.That(await Unary(new string('x', LargeBytes)), Is.EqualTo($"{LargeBytes}"));
    }

    [Test]
    public void A_request_may_come_slower_and_an_answer_be_taken_slower_than_Kestrel_would_have_it()
    {
        var limits = Server.Services.GetRequiredService<IOptions<KestrelServerOptions>>().Value.Limits;
        Assert.That((limits.MinRequestBodyDataRate, limits.MinResponseDataRate), Is.EqualTo(((MinDataRate?)null, (MinDataRate?)null)));
    }
}
