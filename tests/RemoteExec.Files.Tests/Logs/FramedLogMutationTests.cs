using System.Buffers.Binary;
using NUnit.Framework;

namespace RemoteExec.Files.Tests;

/// <summary>Logs that somebody else wrote into.</summary>
internal sealed class FramedLogMutationTests
{
    private const int Seed = 20261130;
    private const int Logs = 600;
    private const int Records = 20;

    private static readonly FrameFormat Format = new() { Magic = "RXTEST03", BodyBytesMax = 1 << 16 };

    private TemporaryFolder _folder = null!;

    [SetUp]
    public void Create() => _folder = new TemporaryFolder();

    [TearDown]
    public void Delete() => _folder.Dispose();

    [Test]
    public void What_is_read_of_a_log_that_was_altered_is_what_was_written_or_less()
    {
        string path = _folder.Combine("log"), altered = _folder.Combine("altered");
        using (var log = FramedLog.Begin(path, Format, new Disk(), isAlone: false))
        {
            for (int i = 0; i < Records; i++) Append(log, i);
            log.Publish();
        }

        byte[] whole = File.ReadAllBytes(path);
        var mutants = new Mutants(Seed);
        int read = 0;
        for (int number = 0; number < Logs; number++)
        {
            File.WriteAllBytes(altered, mutants.Of(whole));
            using var log = FramedLog.TryOpen(altered, Format, new Disk(), isAlone: false, out string? fault);
            if (log is null)
            {
                Assert.That(fault, Is.Not.Empty);
                continue;
            }

            var reader = log.ReadAll();
            while (reader.TryNext(out _, out var frame))
            {
                int record = BinaryPrimitives.ReadInt32LittleEndian(frame[Format.HeadBytes..]);
                if (record is < 0 or >= Records || frame[Format.HeadBytes..].Length != BodyBytes(record)) Assert.Fail($"seed {Seed}, number {number}: a record {record} that nobody wrote");
                read++;
            }
        }

        Assert.That(read, Is.InRange(Logs, 2 * Logs * Records), $"seed {Seed}: one changed byte costs a frame or so, not the log");
    }

    private static int BodyBytes(int record) => sizeof(int) + (record * 7);

    private static void Append(FramedLog log, int record)
    {
        byte[] frame = new byte[Format.HeadBytes + BodyBytes(record)];
        BinaryPrimitives.WriteInt32LittleEndian(frame.AsSpan(Format.HeadBytes), record);
        Format.Seal(frame);
        log.Append(frame);
    }
}
