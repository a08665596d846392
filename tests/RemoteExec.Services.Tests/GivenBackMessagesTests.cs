using System.Buffers;
using Google.Bytestream;
using Google.Protobuf;
using Grpc.Core;
using RemoteExec.Core;
using RemoteExec.Storage;

namespace RemoteExec.Services.Tests;

/// <summary>A message of Write has up to 4 MiB lent: a client that is refused must not take them with it.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class GivenBackMessagesTests
{
    private static readonly string Blob = Digest.Of(DigestFunction.Sha256, "hello"u8).ToString();

    private static IEnumerable<TestCaseData> Refused()
    {
        string name = $"uploads/u/blobs/{Blob}";
        TestCaseData Case(string what, StatusCode code, string? header, params WriteRequest[] requests) =>
            new TestCaseData(code, header, requests).SetArgDisplayNames(what);
        yield return Case("a header of another name", StatusCode.InvalidArgument, "else", Piece(name, "hello"));
        yield return Case("a name that is none", StatusCode.InvalidArgument, null, Piece("x", "hello"));
        yield return Case("a log that is not here", StatusCode.NotFound, null, Piece($"logstreams/{new string('1', 32)}/{new string('2', 32)}", "hello"));
        yield return Case("the name to read a log", StatusCode.InvalidArgument, null, Piece("logstreams/x", "hello"));
        yield return Case("from the middle", StatusCode.InvalidArgument, null, Piece(name, "lo", offset: 3));
        yield return Case("under two names", StatusCode.InvalidArgument, null, Piece(name, "hel"), Piece(name + "/x", "lo", offset: 3));
        yield return Case("behind finish_write", StatusCode.InvalidArgument, null, Piece(name, "hel", finish: true), Piece("", "lo", offset: 3));
        yield return Case("from where it does not go on", StatusCode.InvalidArgument, null, Piece(name, "hel"), Piece("", "lo", offset: 2));
    }

    [TestCaseSource(nameof(Refused))]
    public async Task What_is_refused_is_given_back(StatusCode code, string? header, WriteRequest[] requests)
    {
        var options = new ServicesOptions();
        using var logs = new WrittenLogs(options, TimeProvider.System);
        await using var service = new ByteStreamService(
            new MemoryBlobStore(limitBytes: 1 << 20, retention: TimeSpan.FromHours(1), TimeProvider.System), logs: null, logs, options, TimeProvider.System);
        WriteMessage[] messages = [.. requests.Select(request => WriteMessage.Parse(new ReadOnlySequence<byte>(request.ToByteArray())))];
        Assert.That(messages.Select(message => message.Data.Length), Is.All.Positive);

        var refused = Assert.ThrowsAsync<RpcException>(() => service.WriteAsync(new Sent(messages), new Call(header)));

        Assert.That(refused.StatusCode, Is.EqualTo(code));
        Assert.That(messages.Select(message => message.Data.Length), Is.All.Zero);
    }

    private static WriteRequest Piece(string name, string data, long offset = 0, bool finish = false) =>
        new() { ResourceName = name, WriteOffset = offset, Data = ByteString.CopyFromUtf8(data), FinishWrite = finish };

    private sealed class Sent(WriteMessage[] messages) : IAsyncStreamReader<WriteMessage>
    {
        private int _at = -1;

        public WriteMessage Current => messages[_at];

        public Task<bool> MoveNext(CancellationToken cancellationToken) => Task.FromResult(++_at < messages.Length);
    }

    private sealed class Call(string? name) : NamelessCall
    {
        protected override Metadata RequestHeadersCore => name is null ? [] : new Metadata { { "build.bazel.remote.execution.v2.resource-name", name } };
    }
}
