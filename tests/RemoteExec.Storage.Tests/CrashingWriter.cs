using System.Diagnostics;
using Grpc.Core;
using Microsoft.Win32.SafeHandles;
using NUnit.Framework;
using RemoteExec.Core;

namespace RemoteExec.Storage.Tests;

/// <summary>Uploads until it is killed, and prints the seed of every blob whose upload was acknowledged.</summary>
internal static class CrashingWriter
{
    private const int WritersCount = 4;
    private const long LimitBytes = 40 << 20;

    public static byte[] BlobOf(int seed) => Blobs.Of(seed, seed % 50 == 0 ? 1_500_000 : 100 + seed % 9000);

    public static Process Start(string directory, bool isFlushed = true)
    {
        var start = new ProcessStartInfo("dotnet")
        {
            RedirectStandardOutput = true,
            RedirectStandardInput = true,
            ArgumentList = { typeof(CrashingWriter).Assembly.Location, directory },
        };
        if (!isFlushed) start.ArgumentList.Add("unflushed");
        return Process.Start(start)!;
    }

    /// <summary>The seeds of the next <paramref name="count"/> acknowledged uploads.</summary>
    public static async Task<List<int>> AcknowledgedAsync(Process writer, int count)
    {
        var seeds = new List<int>();
        while (seeds.Count < count)
        {
            string line = await writer.StandardOutput.ReadLineAsync() ?? throw new AssertionException("the writer ended by itself");
            seeds.Add(int.Parse(line));
        }

        return seeds;
    }

    /// <summary>Kills it, and adds what it had acknowledged until then.</summary>
    public static async Task KillAsync(Process writer, List<int> seeds)
    {
        writer.Kill();
        string rest = await writer.StandardOutput.ReadToEndAsync();
        await writer.WaitForExitAsync();
        // The last piece is empty after a whole line, and half a number after a torn one.
        foreach (string line in rest.Split('\n')[..^1]) seeds.Add(int.Parse(line));
    }

    public static async Task RunAsync(string directory, bool isFlushed)
    {
        var options = new DiskBlobStoreOptions
        {
            Directory = directory,
            LimitBytes = LimitBytes,
            Retention = TimeSpan.FromHours(4),
            Disk = isFlushed ? new Disk() : new NoFlush(),
        };
        await using var store = await DiskBlobStore.OpenAsync(options, TimeProvider.System, default);
        int last = (int)store.Usage.Blobs * 1000;
        await Task.WhenAll(Enumerable.Range(0, WritersCount).Select(_ => Task.Run(async () =>
        {
            while (true)
            {
                int seed = Interlocked.Increment(ref last);
                try
                {
                    await store.WriteAllAsync(DigestFunction.Sha256, BlobOf(seed), default);
                }
                catch (RpcException full) when (full.StatusCode == StatusCode.ResourceExhausted)
                {
                    // Enough written: what is left to do is to be killed.
                    await new TaskCompletionSource().Task;
                }

                // One write(2) a line: what the parent reads was acknowledged, and it reads whole lines.
                await Console.Out.WriteLineAsync(seed.ToString());
                await Console.Out.FlushAsync();
            }
        })));
    }

    private sealed class NoFlush : IDisk
    {
        public int Read(SafeFileHandle file, Span<byte> buffer, long offset) => RandomAccess.Read(file, buffer, offset);

        public int Flush(SafeFileHandle fileOrDirectory) => 0;
    }
}
