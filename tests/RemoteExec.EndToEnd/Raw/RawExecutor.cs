using System.Buffers.Binary;
using NUnit.Framework;
using static RemoteExec.Conformance.RawMessage;

namespace RemoteExec.EndToEnd;

/// <summary>Stores, reads and executes at a server, by gRPC and protobuf alone.</summary>
internal sealed class RawExecutor(string address) : IDisposable
{
    private const string ExecuteMethod = "build.bazel.remote.execution.v2.Execution/Execute";
    private const int PieceBytes = 1 << 20;

    // More than an action's own timeout.
    private readonly RawClient _client = new(new Uri($"http://{address}"), TimeSpan.FromMinutes(2));

    public async Task<RawBlob> StoreAsync(byte[] content)
    {
        await StoreAllAsync([content]);
        return RawBlob.Of(content);
    }

    public async Task StoreAllAsync(params IReadOnlyList<byte[]> contents)
    {
        var (status, detail) = await TryStoreAsync(contents);
        Assert.That(status, Is.EqualTo(RawStatus.Ok), detail);
    }

    /// <summary>The first status that is not OK, of the call or of one of the blobs.</summary>
    public async Task<(RawStatus Status, string Detail)> TryStoreAsync(params IReadOnlyList<byte[]> contents)
    {
        var requests = contents.Select(content => (2, (object?)Of((1, RawBlob.Of(content).ToMessage()), (2, content))));
        var (status, detail, answer) = await _client.CallAsync(
            "build.bazel.remote.execution.v2.ContentAddressableStorage/BatchUpdateBlobs", [Of([.. requests])]);
        if (status != RawStatus.Ok) return (status, detail);
        var failed = Messages(answer).Single().Messages(1).Select(each => each.Message(2)).FirstOrDefault(each => each.Number(1) != 0);
        return failed is null ? (RawStatus.Ok, "") : ((RawStatus)failed.Number(1), failed.Text(2));
    }

    /// <summary>The bytes as the server sends them; the status says why there are none.</summary>
    public async Task<(RawStatus Status, byte[] Content)> ReadAsync(RawBlob blob)
    {
        var (status, _, answer) = await _client.CallAsync("google.bytestream.ByteStream/Read", [Of((1, blob.ResourceName))]);
        return (status, [.. Messages(answer).SelectMany(message => message.Bytes(10).ToArray())]);
    }

    /// <summary>Runs an action, past every cache.</summary>
    public async Task<RawResult> ExecuteAsync(RawAction action)
    {
        var blobs = action.ToBlobs();
        await StoreAllAsync(blobs);
        return await RunAsync(Of((3, true), (6, RawBlob.Of(blobs[^1]).ToMessage()), (10, true), (11, true)));
    }

    /// <param name="request">build.bazel.remote.execution.v2.ExecuteRequest</param>
    public async Task<RawResult> RunAsync(byte[] request, params (string Name, string Value)[] headers)
    {
        // google.longrunning.Operation: done, and a response that is an Any.
        var operation = (await CallAsync(ExecuteMethod, [request], headers))[^1];
        Assert.That(operation.Number(3), Is.EqualTo(1), "the stream ended before the operation");
        return RawResult.From(operation.Message(5).Message(2));
    }

    /// <summary>The status of the call, or of what it ran.</summary>
    public async Task<(RawStatus Status, string Detail)> TryRunAsync(byte[] request)
    {
        var (status, detail, answer) = await _client.CallAsync(ExecuteMethod, [request]);
        if (status != RawStatus.Ok) return (status, detail);
        var result = RawResult.From(Messages(answer).Last().Message(5).Message(2));
        return (result.Status, result.Message);
    }

    /// <summary>All messages of an answer that has to be OK.</summary>
    public async Task<IReadOnlyList<RawFields>> CallAsync(string method, IReadOnlyList<byte[]> messages, params (string Name, string Value)[] headers)
    {
        var (status, detail, answer) = await _client.CallAsync(method, messages, headers);
        Assert.That(status, Is.EqualTo(RawStatus.Ok), detail);
        return [.. Messages(answer)];
    }

    /// <summary>However it ends.</summary>
    public Task<RawAnswer> AnswerAsync(string method, byte[] message) => _client.CallAsync(method, [message]);

    public Task<IReadOnlyList<RawFields>> CallAsync(string method, byte[] message) => CallAsync(method, [message]);

    /// <summary>More than a batch takes.</summary>
    public async Task<RawBlob> StoreLargeAsync(byte[] content)
    {
        var blob = RawBlob.Of(content);
        string name = $"uploads/{Guid.NewGuid()}/blobs/{blob.Hash}/{blob.SizeBytes}";
        await CallAsync(
            "google.bytestream.ByteStream/Write",
            [.. content.Chunk(PieceBytes).Select((piece, i) => Of((1, name), (2, (long)i * PieceBytes), (3, (i + 1) * PieceBytes >= content.Length), (10, piece)))]);
        return blob;
    }

    public void Dispose() => _client.Dispose();

    public static IEnumerable<RawFields> Messages(ReadOnlyMemory<byte> frames)
    {
        for (; !frames.IsEmpty; frames = frames[(RawClient.PrefixBytes + Length(frames))..])
            yield return RawFields.Parse(frames.Slice(RawClient.PrefixBytes, Length(frames)));

        static int Length(ReadOnlyMemory<byte> frame) => BinaryPrimitives.ReadInt32BigEndian(frame.Span[1..]);
    }
}
