using Google.Bytestream;
using Google.Protobuf;
using Grpc.Core;
using NUnit.Framework;

namespace RemoteExec.Services.Tests;

/// <summary>How long the client of an open Write may say nothing, by a port whose clock the test moves.</summary>
internal sealed class WrittenLogSilenceTests : WrittenLogFixture
{
    private static readonly TimeSpan UploadIdleMax = TimeSpan.FromSeconds(90);

    protected override TimeProvider PortTime => Time;

    [Test] // REAPI BW11
    public async Task A_call_that_writes_a_log_may_be_as_silent_as_the_log()
    {
        var silence = Options.LogStreamSilenceMax;
        var log = await CreateAsync();
        using var write = Bytes.Write(cancellationToken: Soon);
        await write.RequestStream.WriteAsync(Piece(log.WriteResourceName, "so far"), Soon);

        await Time.WaitForTimerAsync(silence); // it has the first piece, and waits for the next
        Time.Advance(silence - TimeSpan.FromSeconds(1));
        await write.RequestStream.WriteAsync(Piece("", ", so good", offset: 6), Soon);
        await Time.WaitForTimerAsync(silence);
        Assert.That(await StatusAsync(log.WriteResourceName), Is.EqualTo((15, false)));

        Time.Advance(silence);
        Assert.That(await CodeOf(async () => await write), Is.EqualTo(StatusCode.DeadlineExceeded));
        Time.Advance(TimeSpan.FromSeconds(5));
        Assert.That(await StatusAsync(log.WriteResourceName), Is.EqualTo((15, true)));
    }

    [Test] // REAPI BW11
    public async Task Empty_messages_say_that_the_writer_is_there()
    {
        var silence = Options.LogStreamSilenceMax;
        var log = await CreateAsync();
        using var write = Bytes.Write(cancellationToken: Soon);
        await write.RequestStream.WriteAsync(Piece(log.WriteResourceName, "so far"), Soon);
        foreach (int _ in Enumerable.Range(0, 3))
        {
            await Time.WaitForTimerAsync(silence);
            Time.Advance(silence - TimeSpan.FromSeconds(1));
            await write.RequestStream.WriteAsync(Piece("", "", offset: 6), Soon);
        }

        await write.RequestStream.WriteAsync(Piece("", "!", offset: 6, finish: true), Soon);
        await write.RequestStream.CompleteAsync();
        Assert.That((await write).CommittedSize, Is.EqualTo(7));
    }

    [Test]
    public async Task A_call_that_uploads_a_blob_may_not()
    {
        using var write = Bytes.Write(cancellationToken: Soon);
        await write.RequestStream.WriteAsync(new WriteRequest { ResourceName = $"uploads/u/blobs/{DigestOf("hello")}", Data = ByteString.CopyFromUtf8("hel") }, Soon);

        await Time.WaitForTimerAsync(UploadIdleMax);
        Time.Advance(UploadIdleMax);

        Assert.That(await CodeOf(async () => await write), Is.EqualTo(StatusCode.DeadlineExceeded));
    }
}
