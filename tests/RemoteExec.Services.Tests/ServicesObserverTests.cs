using Build.Bazel.Remote.Execution.V2;
using Google.Bytestream;
using Google.Protobuf;
using Grpc.Core;
using NUnit.Framework;
using RemoteExec.Protocol;

namespace RemoteExec.Services.Tests;

internal sealed class ServicesObserverTests : ServicesFixture
{
    private const string Content = "hello world";

    [TestCase(false)]
    [TestCase(true)]
    public async Task Who_watches_is_told_what_travels_and_what_it_throws_changes_nothing(bool throws)
    {
        var told = new RecordedNews(throws);
        await RestartAsync(new ServicesOptions { Observer = told });
        var digest = DigestOf(Content);

        using (var upload = Bytes.Write())
        {
            await upload.RequestStream.WriteAsync(
                new WriteRequest { ResourceName = $"uploads/id/blobs/{digest}", FinishWrite = true, Data = ByteString.CopyFromUtf8(Content) }, Soon);
            await upload.RequestStream.CompleteAsync();
            Assert.That((await upload.ResponseAsync).CommittedSize, Is.EqualTo(Content.Length));
        }

        using (var download = Bytes.Read(new ReadRequest { ResourceName = $"blobs/{digest}" }))
        {
            await foreach (var piece in download.ResponseStream.ReadAllAsync(Soon))
                Assert.That(piece.Data.ToStringUtf8(), Is.EqualTo(Content));
        }

        var stored = await Cas.BatchUpdateBlobsAsync(new BatchUpdateBlobsRequest
        {
            Requests = { new BatchUpdateBlobsRequest.Types.Request { Digest = DigestOf("four").ToWire(), Data = ByteString.CopyFromUtf8("four") } },
        });
        Assert.That(stored.Responses.Single().Status.Code, Is.Zero);

        Assert.That(told.All, Is.EqualTo(new[] { "received 11", "sent 11", "received 4" }));
    }

    private sealed class RecordedNews(bool throws) : IServicesObserver
    {
        public List<string> All { get; } = [];

        public void BlobReceived(long bytes, bool isCompressed) => Note($"received {bytes}{(isCompressed ? " compressed" : "")}");

        public void BlobSent(long bytes, bool isCompressed) => Note($"sent {bytes}{(isCompressed ? " compressed" : "")}");

        private void Note(string news)
        {
            lock (All) All.Add(news);
            if (throws) throw new TimeZoneNotFoundException(news);
        }
    }
}
