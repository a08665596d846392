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

    // What comes together in one call.
    private const int BatchCount = 8;

    // On both sides of what is kept in segments, and of what is written to one first.
    private static readonly int[] Sizes = [1, 100, 4096, 4097, 9000, 14_000];

    public static byte[] BlobOf(int seed) => Blobs.Of(seed, (seed % 50) switch
    {
        0 => 1_500_000,
        1 => 256 << 10,
        2 => (256 << 10) + 1,
        3 => 257 << 10,
        var other => Sizes[other % Sizes.Length],
    });

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
        await Task.WhenAll(Enumerable.Range(0, WritersCount).Select(writer => Task.Run(async () =>
        {
            while (true)
            {
                int count = writer % 2 == 0 ? 1 : BatchCount;
                int end = Interlocked.Add(ref last, count);
                int[] seeds = [.. Enumerable.Range(end - count, count)];
                foreach (int seed in count == 1 ? await WriteAsync(store, seeds[0]) : await WriteBatchAsync(store, seeds))
                {
                    // One write(2) a line: what the parent reads was acknowledged, and it reads whole lines.
                    await Console.Out.WriteLineAsync(seed.ToString());
                    await Console.Out.FlushAsync();
                }
            }
        })));
    }

    private static async Task<IReadOnlyList<int>> WriteAsync(DiskBlobStore store, int seed)
    {
        try
        {
            await store.WriteAllAsync(DigestFunction.Sha256, BlobOf(seed), default);
            return [seed];
        }
        catch (RpcException full) when (full.StatusCode == StatusCode.ResourceExhausted)
        {
            // Enough written: what is left to do is to be killed.
            await new TaskCompletionSource().Task;
            return [];
        }
    }

    private static async Task<IReadOnlyList<int>> WriteBatchAsync(DiskBlobStore store, int[] seeds)
    {
        var statuses = await store.WriteManyAsync([.. seeds.Select(BlobOf).Select(data => (Blobs.DigestOf(data), (ReadOnlyMemory<byte>)data))], default);
        if (statuses.Any(status => status.StatusCode == StatusCode.ResourceExhausted)) await new TaskCompletionSource().Task;
        return [.. seeds.Where((_, i) => statuses[i].StatusCode == StatusCode.OK)];
    }

    private sealed class NoFlush : IDisk
    {
        public int Read(SafeFileHandle file, Span<byte> buffer, long offset) => RandomAccess.Read(file, buffer, offset);

        public int Flush(SafeFileHandle fileOrDirectory) => 0;
    }
}
