using System.Runtime.InteropServices;

namespace RemoteExec.Cli;

/// <summary>write(2) and nothing else: no buffer, no place of its own in the file.</summary>
internal sealed partial class DescriptorStream(int descriptor) : Stream
{
    // errno(3); the first two are the same wherever .NET runs.
    private const int Interrupted = 4, Closed = 32, WouldBlockLinux = 11, WouldBlockElsewhere = 35;

    // poll(2)
    private const short Writable = 4;

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <exception cref="OutputClosedException">Whoever read it has gone.</exception>
    public override void Write(ReadOnlySpan<byte> buffer)
    {
        while (buffer.Length > 0)
        {
            nint written = WriteBytes(descriptor, buffer, buffer.Length);
            if (written >= 0)
            {
                buffer = buffer[(int)written..];
                continue;
            }

            int errno = Marshal.GetLastPInvokeError();
            // Somebody may have made the terminal or the pipe that we share with them a non-blocking one.
            if (errno is WouldBlockLinux or WouldBlockElsewhere) AwaitRoom();
            else if (errno == Closed) throw new OutputClosedException();
            else if (errno != Interrupted) throw new IOException($"cannot write the output: {Marshal.GetPInvokeErrorMessage(errno)}");
        }
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        Write(buffer.Span);
        return ValueTask.CompletedTask;
    }

    public override void Flush()
    {
        // Nothing is kept back.
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    private void AwaitRoom()
    {
        var room = new PollEntry { Descriptor = descriptor, Wanted = Writable };
        _ = Poll(ref room, 1, timeoutMilliseconds: -1); // its failure shows in the next write
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct PollEntry
    {
        public int Descriptor;
        public short Wanted;
        public short Found;
    }

    [LibraryImport("libc", EntryPoint = "write", SetLastError = true)]
    private static partial nint WriteBytes(int descriptor, ReadOnlySpan<byte> buffer, nint count);

    [LibraryImport("libc", EntryPoint = "poll", SetLastError = true)]
    private static partial int Poll(ref PollEntry entries, nuint count, int timeoutMilliseconds);
}
