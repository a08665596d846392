using NUnit.Framework;

namespace RemoteExec.Worker.Tests;

/// <summary>What is shown of a log while it is written, where its place in the file is written round and round.</summary>
public sealed class ActionLogTests
{
    private const int BytesMax = 400_000, Back = 60_000, Newest = 50_000;

    [Test]
    public void The_newest_of_a_log_that_is_longer_than_what_is_kept_is_shown_as_it_was_written()
    {
        using var folder = new TemporaryFolder();
        using var log = new ActionLog(Path.Combine(folder.Path, "stdout"), BytesMax);
        byte[] text = new byte[5 * BytesMax];
        new Random(3).NextBytes(text); // seed 3

        int written = 0;
        long shown = 0;
        // Now and then more than is caught up with.
        foreach (byte[] chunk in (byte[][])[.. text[..(2 * BytesMax)].Chunk(33_333), .. text[(2 * BytesMax)..].Chunk(70_001)])
        {
            log.Write(chunk);
            written += chunk.Length;
            long next = -1;
            while (log.TakeUnshown(pieceMax: 9_999, Back, Newest, isOver: false, out long offset) is { Length: > 0 } piece)
            {
                Assert.That(piece, Is.EqualTo(text.AsSpan((int)offset, piece.Length).ToArray()));
                Assert.That(offset, Is.EqualTo(next >= 0 ? next : written - shown <= Back ? shown : written - Newest));
                next = offset + piece.Length;
            }

            Assert.That(next, Is.EqualTo(written));
            shown = next;
        }
    }
}
