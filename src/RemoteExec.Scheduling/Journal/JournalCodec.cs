using System.Buffers;
using System.Diagnostics;

namespace RemoteExec.Scheduling;

/// <summary>
/// Records as bytes, one format for all journals: a kind, then the fields in order. Framing and checksums belong to
/// whoever stores them. A changed layout gets a new kind; a kind is never reused.
/// </summary>
public static class JournalCodec
{
    private const byte ExecutionCreated = 1;
    private const byte OperationCreated = 2;
    private const byte ExecutionLeased = 3;
    private const byte ExecutionRequeued = 4;
    private const byte ExecutionCompleted = 5;
    private const byte OperationEnded = 6;
    private const byte OperationForgotten = 7;

    public static void Write(JournalRecord record, IBufferWriter<byte> buffer)
    {
        var writer = new JournalWriter(buffer);
        switch (record)
        {
            case JournalRecord.ExecutionCreated created:
                writer.Byte(ExecutionCreated);
                writer.Id(created.Execution);
                writer.Request(created.Request);
                writer.Time(created.At);
                break;
            case JournalRecord.OperationCreated created:
                writer.Byte(OperationCreated);
                writer.Text(created.Operation);
                writer.Id(created.Execution);
                writer.Flag(created.Request is not null);
                if (created.Request is not null) writer.Request(created.Request);
                writer.Time(created.At);
                break;
            case JournalRecord.ExecutionLeased leased:
                writer.Byte(ExecutionLeased);
                writer.Id(leased.Execution);
                writer.Number(leased.Attempt);
                writer.Text(leased.WorkerId);
                writer.Time(leased.At);
                break;
            case JournalRecord.ExecutionRequeued requeued:
                writer.Byte(ExecutionRequeued);
                writer.Id(requeued.Execution);
                writer.Number(requeued.Attempt);
                writer.Number(requeued.Losses);
                writer.Text(requeued.Reason);
                writer.Time(requeued.At);
                break;
            case JournalRecord.ExecutionCompleted completed:
                writer.Byte(ExecutionCompleted);
                writer.Id(completed.Execution);
                writer.Outcome(completed.Outcome);
                writer.Time(completed.At);
                break;
            case JournalRecord.OperationEnded ended:
                writer.Byte(OperationEnded);
                writer.Text(ended.Operation);
                writer.Outcome(ended.Outcome);
                writer.Time(ended.At);
                break;
            case JournalRecord.OperationForgotten forgotten:
                writer.Byte(OperationForgotten);
                writer.Text(forgotten.Operation);
                break;
            default:
                throw new UnreachableException($"{record.GetType().Name} has no form on disk");
        }
    }

    /// <summary>Reads records until the bytes end.</summary>
    /// <exception cref="JournalException">The bytes were written in another format.</exception>
    public static void ReadAll(ReadOnlySpan<byte> bytes, ICollection<JournalRecord> records)
    {
        var reader = new JournalReader(bytes);
        while (!reader.IsAtEnd) records.Add(Read(ref reader));
    }

    private static JournalRecord Read(ref JournalReader reader)
    {
        // Arguments are evaluated from left to right (C# specification 12.6.2), which is the order on disk.
        byte kind = reader.Byte();
        return kind switch
        {
            ExecutionCreated => new JournalRecord.ExecutionCreated(reader.Id(), reader.Request(), reader.Time()),
            OperationCreated => new JournalRecord.OperationCreated(
                reader.Text(), reader.Id(), reader.Flag() ? reader.Request() : null, reader.Time()),
            ExecutionLeased => new JournalRecord.ExecutionLeased(
                reader.Id(), (int)reader.Number(), reader.Text(), reader.Time()),
            ExecutionRequeued => new JournalRecord.ExecutionRequeued(
                reader.Id(), (int)reader.Number(), (int)reader.Number(), reader.Text(), reader.Time()),
            ExecutionCompleted => new JournalRecord.ExecutionCompleted(reader.Id(), reader.Outcome(), reader.Time()),
            OperationEnded => new JournalRecord.OperationEnded(reader.Text(), reader.Outcome(), reader.Time()),
            OperationForgotten => new JournalRecord.OperationForgotten(reader.Text()),
            _ => throw JournalReader.Misfit(),
        };
    }
}
