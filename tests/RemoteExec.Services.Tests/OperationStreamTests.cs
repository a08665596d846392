using Google.LongRunning;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;

namespace RemoteExec.Services.Tests;

/// <summary>How the messages of an operation leave: what comes last and is small, in one piece with the trailers.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class OperationStreamTests
{
    private readonly Recorder _sent = new();
    private readonly AnswerBudget _unsent = new(1 << 20, TimeProvider.System);

    [Test]
    public async Task A_small_end_leaves_with_the_trailers_and_what_comes_before_it_at_once()
    {
        await OperationStream.ServeAsync(_sent, _unsent, new NamelessCall(), async stream =>
        {
            await stream.SendAsync(Message(isDone: false, bytes: 10), isHeld: false);
            await stream.SendAsync(Message(isDone: true, bytes: 1000), isHeld: false);
        });

        Assert.That(_sent.Flags, Is.EqualTo(new[] { default, WriteFlags.BufferHint }));
    }

    [Test]
    public async Task A_large_end_is_sent_while_its_bytes_are_held()
    {
        await OperationStream.ServeAsync(
            _sent, _unsent, new NamelessCall(), async stream => await stream.SendAsync(Message(isDone: true, AnswerBudget.SmallBytesMax + 1), isHeld: true));

        Assert.That(_sent.Flags, Is.EqualTo(new[] { default(WriteFlags) }));
    }

    private static Operation Message(bool isDone, int bytes) => new()
    {
        Name = "operations/1",
        Metadata = new Any(),
        Done = isDone,
        Response = isDone ? new Any { Value = UnsafeByteOperations.UnsafeWrap(new byte[bytes]) } : null,
    };

    private sealed class Recorder : IServerStreamWriter<Operation>
    {
        public List<WriteFlags> Flags { get; } = [];

        public WriteOptions? WriteOptions { get; set; }

        public Task WriteAsync(Operation message)
        {
            Flags.Add(WriteOptions?.Flags ?? default);
            return Task.CompletedTask;
        }
    }
}
