using System.Buffers;
using NUnit.Framework;

namespace RemoteExec.Scheduling.Tests;

/// <summary>What journals in the field hold must be read for ever.</summary>
[TestFixture]
internal sealed class JournalCodecTests
{
    [TestCase(Blame.None, 0)]
    [TestCase(Blame.Worker, 1)] // the two that there were when it was a flag
    [TestCase(Blame.Client, 2)]
    [TestCase(Blame.Action, 3)]
    [TestCase(Blame.Coordinator, 4)]
    [TestCase(Blame.Store, 5)]
    public void Blame_is_one_byte_where_a_flag_used_to_stand(Blame blame, byte code)
    {
        // kind 6 | text "o" | code 0 | no message | no response | not worthy | blame | no exit code | ticks 0
        byte[] bytes = [6, 2, (byte)'o', 0, 0, 0, 0, code, 0, 0];
        var record = new JournalRecord.OperationEnded("o", new ExecutionOutcome { Code = OutcomeCode.Ok, Blame = blame }, DateTimeOffset.MinValue);

        var written = new ArrayBufferWriter<byte>();
        JournalCodec.Write(record, written);
        Assert.That(written.WrittenSpan.ToArray(), Is.EqualTo(bytes));
        var read = new List<JournalRecord>();
        JournalCodec.ReadAll(bytes, read);
        Assert.That(((JournalRecord.OperationEnded)read.Single()).Outcome.Blame, Is.EqualTo(blame));
    }

    [Test]
    public void A_blame_of_another_version_is_told_as_such() =>
        Assert.Throws<JournalException>(() => JournalCodec.ReadAll([6, 2, (byte)'o', 0, 0, 0, 0, 99, 0, 0], []));
}
