using System.Buffers.Binary;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace RemoteExec.Benchmarks;

/// <summary>
/// What HTTP/2 costs on this machine before anyone does any work: Kestrel with a handler that answers every
/// POST by bytes fixed at start, and streams a file on request. Runs in a process of its own.
/// </summary>
internal static class BareKestrel
{
    public const string ReadyLine = "listening";

    private const int MessageBytes = 1 << 20;
    private const int PrefixBytes = 5;

    /// <param name="arguments">HOST:PORT, the file with the fixed answer, the file to stream.</param>
    public static async Task ServeAsync(string[] arguments)
    {
        byte[] reply = await File.ReadAllBytesAsync(arguments[1]);
        string streamed = arguments[2];

        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(options =>
        {
            options.Listen(IPEndPoint.Parse(arguments[0]), endpoint => endpoint.Protocols = HttpProtocols.Http2);
            options.Limits.MinRequestBodyDataRate = null;
        });
        await using var host = builder.Build();
        host.Map("/stream", context => StreamAsync(context, streamed));
        host.MapFallback(context => ReplyAsync(context, reply));

        await host.StartAsync();
        await Console.Out.WriteLineAsync(ReadyLine);
        await host.WaitForShutdownAsync();
    }

    private static async Task ReplyAsync(HttpContext context, byte[] reply)
    {
        await DrainAsync(context);
        context.Response.ContentType = "application/grpc";
        await context.Response.BodyWriter.WriteAsync(reply);
        context.Response.AppendTrailer("grpc-status", "0");
    }

    private static async Task StreamAsync(HttpContext context, string path)
    {
        await DrainAsync(context);
        context.Response.ContentType = "application/grpc";
        using var file = File.OpenHandle(path, options: FileOptions.Asynchronous);
        long left = RandomAccess.GetLength(file);
        for (long offset = 0; left > 0;)
        {
            int length = (int)Math.Min(left, MessageBytes);
            var buffer = context.Response.BodyWriter.GetMemory(PrefixBytes + length);
            buffer.Span[0] = 0;
            BinaryPrimitives.WriteInt32BigEndian(buffer.Span[1..], length);
            int read = RandomAccess.Read(file, buffer.Span.Slice(PrefixBytes, length), offset);
            if (read != length) throw new EndOfStreamException(path);
            context.Response.BodyWriter.Advance(PrefixBytes + length);
            await context.Response.BodyWriter.FlushAsync();
            (offset, left) = (offset + length, left - length);
        }

        context.Response.AppendTrailer("grpc-status", "0");
    }

    private static async Task DrainAsync(HttpContext context)
    {
        while (true)
        {
            var result = await context.Request.BodyReader.ReadAsync();
            context.Request.BodyReader.AdvanceTo(result.Buffer.End);
            if (result.IsCompleted) return;
        }
    }
}
