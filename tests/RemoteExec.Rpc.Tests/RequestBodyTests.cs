using System.IO.Pipelines;

namespace RemoteExec.Rpc.Tests;

public sealed class RequestBodyTests
{
    [Test]
    public void A_stream_that_is_gone_already_can_be_interrupted()
    {
        using var body = new RequestBody(new GoneReader(), new ManualTime(), TimeSpan.FromSeconds(30));
        Assert.DoesNotThrow(body.Interrupt);
    }

    /// <summary>As Kestrel's after a reset: whatever is asked of it, it throws the stream's failure.</summary>
    private sealed class GoneReader : PipeReader
    {
        public override void CancelPendingRead() => throw new IOException("the stream was reset");

        public override void AdvanceTo(SequencePosition consumed) => throw new IOException("the stream was reset");

        public override void AdvanceTo(SequencePosition consumed, SequencePosition examined) => throw new IOException("the stream was reset");

        public override void Complete(Exception? exception = null) { }

        public override ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default) => throw new IOException("the stream was reset");

        public override bool TryRead(out ReadResult result) => throw new IOException("the stream was reset");
    }
}
