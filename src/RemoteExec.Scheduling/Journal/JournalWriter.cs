using System.Buffers;
using System.Buffers.Binary;
using System.Text;
using RemoteExec.Core;

namespace RemoteExec.Scheduling;

/// <summary>Writes the small parts of journal records: numbers as varints, text and bytes behind their length.</summary>
internal readonly ref struct JournalWriter(IBufferWriter<byte> buffer)
{
    public void Byte(byte value)
    {
        buffer.GetSpan(1)[0] = value;
        buffer.Advance(1);
    }

    public void Flag(bool value) => Byte(value ? (byte)1 : (byte)0);

    /// <summary>Zigzag, so that small negative numbers (priorities) stay short.</summary>
    public void Number(long value)
    {
        ulong rest = (ulong)((value << 1) ^ (value >> 63));
        var span = buffer.GetSpan(10);
        int length = 0;
        while (rest >= 0x80)
        {
            span[length++] = (byte)(rest | 0x80);
            rest >>= 7;
        }

        span[length++] = (byte)rest;
        buffer.Advance(length);
    }

    public void Text(string value)
    {
        int length = Encoding.UTF8.GetByteCount(value);
        Number(length);
        if (length == 0) return;
        Encoding.UTF8.GetBytes(value, buffer.GetSpan(length));
        buffer.Advance(length);
    }

    public void Bytes(ReadOnlySpan<byte> value)
    {
        Number(value.Length);
        buffer.Write(value);
    }

    public void Time(DateTimeOffset value) => Number(value.UtcTicks);

    public void Id(ExecutionId id)
    {
        BinaryPrimitives.WriteUInt128BigEndian(buffer.GetSpan(16), id.Value);
        buffer.Advance(16);
    }

    public void Digest(Digest digest)
    {
        Byte((byte)digest.Function);
        Number(digest.SizeBytes);
        digest.CopyHashTo(buffer.GetSpan(digest.HashBytes));
        buffer.Advance(digest.HashBytes);
    }

    public void Request(ExecutionRequest request)
    {
        Text(request.Instance.Value);
        Digest(request.Action);
        Number(request.Platform.Properties.Length);
        foreach (var property in request.Platform.Properties)
        {
            Text(property.Name);
            Text(property.Value);
        }

        Number(request.Priority);
        Number(request.Timeout.Ticks);
        Flag(request.SkipCacheLookup);
        Flag(request.DoNotCache);
        Text(request.CommandLine);
        Text(request.Origin.ToolName);
        Text(request.Origin.ToolInvocationId);
        Text(request.Origin.CorrelatedInvocationsId);
        Text(request.Origin.TargetId);
        Text(request.Origin.ActionMnemonic);
        Bytes(request.Origin.RequestMetadata.Span);
    }

    public void Outcome(ExecutionOutcome outcome)
    {
        Number((int)outcome.Code);
        Text(outcome.Message);
        Bytes(outcome.Response.Span);
        Flag(outcome.IsCacheWorthy);
        Byte(BlameCodes.ToByte(outcome.Blame));
        Flag(outcome.ExitCode is not null);
        if (outcome.ExitCode is { } exitCode) Number(exitCode);
    }
}
