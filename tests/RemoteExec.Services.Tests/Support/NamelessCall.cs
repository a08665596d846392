using System.Diagnostics;
using Grpc.Core;

namespace RemoteExec.Services.Tests;

/// <summary>A call of which nothing may be asked but whether it is over.</summary>
internal class NamelessCall : ServerCallContext
{
    protected override string MethodCore => throw Asked();

    protected override string HostCore => throw Asked();

    protected override string PeerCore => throw Asked();

    protected override DateTime DeadlineCore => throw Asked();

    protected override Metadata RequestHeadersCore => throw Asked();

    protected override CancellationToken CancellationTokenCore => CancellationToken.None;

    protected override Metadata ResponseTrailersCore => throw Asked();

    protected override Status StatusCore { get => throw Asked(); set => throw Asked(); }

    protected override WriteOptions? WriteOptionsCore { get => throw Asked(); set => throw Asked(); }

    protected override AuthContext AuthContextCore => throw Asked();

    protected override ContextPropagationToken CreatePropagationTokenCore(ContextPropagationOptions? options) => throw Asked();

    protected override Task WriteResponseHeadersAsyncCore(Metadata responseHeaders) => throw Asked();

    private static UnreachableException Asked() => new("what costs something was asked of a call that needs nothing");
}
