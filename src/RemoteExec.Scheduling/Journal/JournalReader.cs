using System.Buffers.Binary;
using System.Text;
using RemoteExec.Core;

namespace RemoteExec.Scheduling;

/// <summary>Reads what <see cref="JournalWriter"/> wrote. Whoever stored the bytes has checked them, so a misfit means another format.</summary>
internal ref struct JournalReader(ReadOnlySpan<byte> bytes)
{
    private ReadOnlySpan<byte> _rest = bytes;

    public readonly bool IsAtEnd => _rest.IsEmpty;

    public byte Byte() => Take(1)[0];

    public bool Flag() => Byte() != 0;

    public long Number()
    {
        ulong value = 0;
        for (int shift = 0; shift < 64; shift += 7)
        {
            byte next = Byte();
            value |= (ulong)(next & 0x7f) << shift;
            if (next < 0x80) return (long)(value >> 1) ^ -(long)(value & 1);
        }

        throw Misfit();
    }

    public string Text() => Encoding.UTF8.GetString(Take(Number()));

    public byte[] Bytes() => Take(Number()).ToArray();

    public DateTimeOffset Time() => new(Number(), TimeSpan.Zero);

    public ExecutionId Id() => new(BinaryPrimitives.ReadUInt128BigEndian(Take(16)));

    public Digest Digest()
    {
        if (!DigestFunctions.TryFromNumber(Byte(), out var function)) throw Misfit();
        long sizeBytes = Number();
        return Core.Digest.FromHash(function, Take(function.HashBytes()), sizeBytes);
    }

    public ExecutionRequest Request()
    {
        if (!InstanceName.TryParse(Text(), out var instance, out _)) throw Misfit();
        var action = Digest();
        var properties = new PlatformProperty[Number()];
        for (int i = 0; i < properties.Length; i++) properties[i] = new PlatformProperty(Text(), Text());
        if (!Platform.TryCreate(properties, out var platform, out _)) throw Misfit();

        return new ExecutionRequest
        {
            Instance = instance,
            Action = action,
            Platform = platform,
            Priority = (int)Number(),
            Timeout = TimeSpan.FromTicks(Number()),
            SkipCacheLookup = Flag(),
            DoNotCache = Flag(),
            CommandLine = Text(),
            Origin = new RequestOrigin
            {
                ToolName = Text(),
                ToolInvocationId = Text(),
                CorrelatedInvocationsId = Text(),
                TargetId = Text(),
                ActionMnemonic = Text(),
                RequestMetadata = Bytes(),
            },
        };
    }

    public ExecutionOutcome Outcome() => new()
    {
        Code = (OutcomeCode)Number(),
        Message = Text(),
        Response = Bytes(),
        IsCacheWorthy = Flag(),
        Blame = BlameCodes.FromByte(Byte()),
        ExitCode = Flag() ? (int)Number() : null,
    };

    public static JournalException Misfit() =>
        new("the operation journal was written by another version: finish its work with that version, or remove the journal (clients ask again)");

    private ReadOnlySpan<byte> Take(long length)
    {
        if ((ulong)length > (ulong)_rest.Length) throw Misfit();

        var taken = _rest[..(int)length];
        _rest = _rest[(int)length..];
        return taken;
    }
}
