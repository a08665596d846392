namespace RemoteExec.Storage.Tests;

internal static class ReaderExtensions
{
    public static async Task ReadExactlyAsync(this IBlobReader reader, Memory<byte> buffer)
    {
        for (int read; buffer.Length > 0; buffer = buffer[read..])
        {
            read = await reader.ReadAsync(buffer, default);
            if (read == 0) throw new EndOfStreamException();
        }
    }
}
