using System.Buffers;
using System.Buffers.Binary;
using System.Text;

namespace RemoteExec.Worker.Sandbox;

/// <summary>
/// The frames between worker and launcher; the other side is <c>sandbox-native/linux/protocol.h</c>. Little-endian.
/// <code>
/// frame   u32 payload bytes | u32 type | u64 action id | payload
/// string  u32 bytes | bytes | 0        (the launcher points into the frame, so the zero travels)
/// </code>
/// </summary>
internal static class SandboxWire
{
    public const int HeaderBytes = 16;

    /// <summary>The kernel takes at most 6 MiB of arguments and environment (execve(2), "Limits on size"): more cannot run.</summary>
    public const int RunPayloadBytesMax = 8 << 20;

    /// <summary>The launcher sends output in pieces of a pipe's size and short reports; anything longer is not a launcher.</summary>
    public const int ReplyPayloadBytesMax = 128 << 10;

    public const uint Version = 2;

    public enum FrameType : uint
    {
        Run = 1,
        Kill = 2,
        Hello = 128,
        Started = 129,
        Stdout = 130,
        Stderr = 131,
        Exit = 132,
    }

    public readonly record struct Header(int PayloadBytes, FrameType Type, ulong Id);

    public static bool TryReadHeader(ReadOnlySpan<byte> bytes, out Header header)
    {
        uint payloadBytes = BinaryPrimitives.ReadUInt32LittleEndian(bytes);
        header = new Header(
            (int)Math.Min(payloadBytes, int.MaxValue),
            (FrameType)BinaryPrimitives.ReadUInt32LittleEndian(bytes[4..]),
            BinaryPrimitives.ReadUInt64LittleEndian(bytes[8..]));
        return payloadBytes <= ReplyPayloadBytesMax;
    }

    /// <summary>The frame of a spec, or null and the reason when no frame can say it.</summary>
    public static ArrayBufferWriter<byte>? Run(ulong id, SandboxSpec spec, out string? error)
    {
        error = FirstUnrepresentable(spec);
        if (error is not null) return null;

        var writer = new ArrayBufferWriter<byte>(4096);
        ReserveHeader(writer);
        var limits = spec.Limits;
        UInt32(writer, (uint)spec.Walls);
        UInt32(writer, (uint)Math.Max(0, limits.CpuMillicores));
        UInt64(writer, limits.MemoryBytes);
        UInt32(writer, (uint)Math.Max(0, limits.ProcessesMax));
        UInt32(writer, (uint)Math.Max(0, limits.OpenFilesMax));
        UInt64(writer, limits.ScratchBytes);
        UInt64(writer, limits.StdoutBytesMax);
        UInt64(writer, limits.StderrBytesMax);
        // A timeout above zero must not round down to "none".
        UInt64(writer, limits.Timeout > TimeSpan.Zero ? Math.Max(1, (long)limits.Timeout.TotalMicroseconds) : 0);
        Text(writer, spec.InputRootPath);
        Text(writer, spec.WorkingDirectory);
        Text(writer, spec.HostName);
        UInt32(writer, (uint)spec.Arguments.Count);
        foreach (string argument in spec.Arguments) Text(writer, argument);
        UInt32(writer, (uint)spec.Environment.Count);
        foreach (var (name, value) in spec.Environment) Text(writer, $"{name}={value}");

        int payloadBytes = writer.WrittenCount - HeaderBytes;
        if (payloadBytes > RunPayloadBytesMax)
        {
            error = $"arguments and environment take {payloadBytes} bytes, more than the kernel's {RunPayloadBytesMax}";
            return null;
        }

        var bytes = System.Runtime.InteropServices.MemoryMarshal.AsMemory(writer.WrittenMemory).Span;
        WriteHeader(bytes, payloadBytes, FrameType.Run, id);
        return writer;
    }

    public static byte[] Kill(ulong id)
    {
        var frame = new byte[HeaderBytes];
        WriteHeader(frame, payloadBytes: 0, FrameType.Kill, id);
        return frame;
    }

    public static SandboxReport Exit(ReadOnlySpan<byte> payload) => new()
    {
        Outcome = (SandboxOutcome)BinaryPrimitives.ReadUInt32LittleEndian(payload),
        ExitCode = BinaryPrimitives.ReadInt32LittleEndian(payload[4..]),
        Signal = BinaryPrimitives.ReadInt32LittleEndian(payload[8..]),
        LimitsEnforced = (BinaryPrimitives.ReadUInt32LittleEndian(payload[12..]) & 1) != 0,
        WallTime = Microseconds(payload[16..]),
        UserTime = Microseconds(payload[24..]),
        SystemTime = Microseconds(payload[32..]),
        PeakMemoryBytes = BinaryPrimitives.ReadInt64LittleEndian(payload[40..]),
        StdoutDroppedBytes = BinaryPrimitives.ReadInt64LittleEndian(payload[48..]),
        StderrDroppedBytes = BinaryPrimitives.ReadInt64LittleEndian(payload[56..]),
        Kernel = (BinaryPrimitives.ReadUInt32LittleEndian(payload[12..]) & 2) != 0 ? Kernel(payload[64..]) : null,
        Detail = Encoding.UTF8.GetString(payload.Slice(156, BinaryPrimitives.ReadInt32LittleEndian(payload[152..]))),
    };

    private static KernelUsage Kernel(ReadOnlySpan<byte> counts) => new()
    {
        LargestProcessBytes = BinaryPrimitives.ReadInt64LittleEndian(counts),
        MinorFaults = BinaryPrimitives.ReadInt64LittleEndian(counts[8..]),
        MajorFaults = BinaryPrimitives.ReadInt64LittleEndian(counts[16..]),
        Swaps = BinaryPrimitives.ReadInt64LittleEndian(counts[24..]),
        BlocksIn = BinaryPrimitives.ReadInt64LittleEndian(counts[32..]),
        BlocksOut = BinaryPrimitives.ReadInt64LittleEndian(counts[40..]),
        MessagesSent = BinaryPrimitives.ReadInt64LittleEndian(counts[48..]),
        MessagesReceived = BinaryPrimitives.ReadInt64LittleEndian(counts[56..]),
        Signals = BinaryPrimitives.ReadInt64LittleEndian(counts[64..]),
        VoluntarySwitches = BinaryPrimitives.ReadInt64LittleEndian(counts[72..]),
        InvoluntarySwitches = BinaryPrimitives.ReadInt64LittleEndian(counts[80..]),
    };

    /// <summary>C strings end at their first zero: one inside would silently cut an argument short.</summary>
    private static string? FirstUnrepresentable(SandboxSpec spec)
    {
        if (spec.Arguments.Count == 0) return "the command has no arguments, so no program";
        if (spec.Arguments.Any(HasZero)) return "an argument contains a zero byte";
        if (HasZero(spec.InputRootPath) || HasZero(spec.WorkingDirectory) || HasZero(spec.HostName))
            return "a path or host name contains a zero byte";
        foreach (var (name, value) in spec.Environment)
        {
            if (name.Length == 0 || name.Contains('=') || HasZero(name)) return $"environment variable name '{name}' is not valid";
            if (HasZero(value)) return $"environment variable {name} contains a zero byte";
        }

        return null;
    }

    private static bool HasZero(string text) => text.Contains('\0');

    private static TimeSpan Microseconds(ReadOnlySpan<byte> bytes) =>
        TimeSpan.FromMicroseconds(BinaryPrimitives.ReadInt64LittleEndian(bytes));

    private static void WriteHeader(Span<byte> bytes, int payloadBytes, FrameType type, ulong id)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, (uint)payloadBytes);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[4..], (uint)type);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[8..], id);
    }

    /// <summary>The header's length field is known last.</summary>
    private static void ReserveHeader(ArrayBufferWriter<byte> writer)
    {
        writer.GetSpan(HeaderBytes)[..HeaderBytes].Clear();
        writer.Advance(HeaderBytes);
    }

    private static void UInt32(ArrayBufferWriter<byte> writer, uint value)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(writer.GetSpan(4), value);
        writer.Advance(4);
    }

    private static void UInt64(ArrayBufferWriter<byte> writer, long value)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(writer.GetSpan(8), (ulong)Math.Max(0, value));
        writer.Advance(8);
    }

    private static void Text(ArrayBufferWriter<byte> writer, string text)
    {
        int bytes = Encoding.UTF8.GetByteCount(text);
        UInt32(writer, (uint)bytes);
        var span = writer.GetSpan(bytes + 1);
        Encoding.UTF8.GetBytes(text, span);
        span[bytes] = 0;
        writer.Advance(bytes + 1);
    }
}
