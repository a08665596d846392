using NUnit.Framework;
using static RemoteExec.Conformance.RawMessage;

namespace RemoteExec.EndToEnd;

/// <summary>Large inputs and outputs between a server and a worker on another machine: what a later version shares with an earlier one does not travel.</summary>
public sealed class ChunkedTransferTests
{
    private const int MebiByte = 1 << 20;
    private const int FileBytes = 32 * MebiByte;

    // Some chunks, and messages about all of them.
    private const int ChangeBytesMax = 4 * MebiByte;

    private static readonly TimeSpan Within = TimeSpan.FromMinutes(2);

    private const string Transferred = "remoteexec_cas_transfer_bytes_total";

    [Test]
    public async Task A_changed_input_and_a_changed_output_travel_by_the_chunks_that_changed() // REAPI C6, C7
    {
        await using var server = await ServerProcess.StartAsync(Lab.NewFolder("server"), "--roles", "coordinator,storage");
        await using var worker = WorkerProcess.Start(server, Lab.NewFolder("worker"), "--sandbox", "off", "--slots", "1");
        await Eventually.TrueAsync(() => "the worker has joined", Within, async () => await server.MetricAsync("remoteexec_pool_slots") > 0);
        using var executor = new RawExecutor(server.GrpcAddress);
        byte[] first = new byte[FileBytes];
        new Random(1).NextBytes(first);
        byte[] inserted = new byte[1000];
        new Random(2).NextBytes(inserted);
        byte[] second = [.. first.AsSpan(0, FileBytes / 3), .. inserted, .. first.AsSpan(FileBytes / 3)];
        await RunAsync(executor, first);
        var input = await executor.StoreLargeAsync(second);
        double sent = await server.MetricAsync(Transferred, "direction=\"sent\""), received = await server.MetricAsync(Transferred, "direction=\"received\"");

        var output = await RunAsync(executor, second, input);

        Assert.That(await server.MetricAsync(Transferred, "direction=\"sent\"") - sent, Is.InRange(inserted.Length, ChangeBytesMax), "what the worker fetched");
        Assert.That(await server.MetricAsync(Transferred, "direction=\"received\"") - received, Is.InRange(1, ChangeBytesMax), "what it uploaded");
        var (status, content) = await executor.ReadAsync(output);
        Assert.That(status, Is.EqualTo(RawStatus.Ok));
        Assert.That(content.AsSpan().SequenceEqual([.. second, .. "the end\n"u8]));
        await worker.StopAsync();
        await server.StopAsync();
    }

    [Test]
    public async Task The_size_of_chunks_and_of_the_inputs_that_come_in_them_is_what_the_options_say() // REAPI C6
    {
        const string SplitCalls = "remoteexec_rpc_server_requests_total";
        await using var server = await ServerProcess.StartAsync(Lab.NewFolder("server"), "--roles", "coordinator,storage", "--chunk-size", "64KiB");
        await using var worker = WorkerProcess.Start(server, Lab.NewFolder("worker"), "--sandbox", "off", "--slots", "1", "--chunked-inputs-from", "3MB", "--chunked-outputs-from", "0");
        await Eventually.TrueAsync(() => "the worker has joined", Within, async () => await server.MetricAsync("remoteexec_pool_slots") > 0);
        using var executor = new RawExecutor(server.GrpcAddress);
        byte[] data = new byte[4 * MebiByte];
        new Random(4).NextBytes(data);

        await RunAsync(executor, data[..2_999_999]);
        Assert.That(await server.MetricAsync(SplitCalls, "SplitBlob"), Is.Zero);
        await RunAsync(executor, data);
        Assert.That(await server.MetricAsync(SplitCalls, "SplitBlob", "code=\"OK\""), Is.EqualTo(1));

        var chunks = (await executor.CallAsync(
            "build.bazel.remote.execution.v2.ContentAddressableStorage/SplitBlob", Of((2, RawBlob.Of(data).ToMessage())))).Single().Messages(1).Select(RawBlob.From).ToList();
        Assert.That(data.Length / chunks.Count, Is.InRange(48 << 10, 128 << 10), "64 KiB and the least size, on average");
        Assert.That(chunks.Sum(chunk => chunk.SizeBytes), Is.EqualTo(data.Length));
        await worker.StopAsync();
        await server.StopAsync();
    }

    [Test]
    public async Task A_worker_that_is_killed_in_the_middle_of_a_large_input_goes_on_where_it_was() // REAPI C7
    {
        byte[] data = new byte[2 * FileBytes];
        new Random(3).NextBytes(data);
        string folder = Lab.NewFolder("worker");
        await using var server = await ServerProcess.StartAsync(Lab.NewFolder("server"), "--roles", "coordinator,storage");
        await using var relay = new MeteredRelay(server.GrpcAddress);
        using var executor = new RawExecutor(server.GrpcAddress);
        var input = await executor.StoreLargeAsync(data);
        Task<RawBlob> running;
        await using (var killed = WorkerProcess.StartAt(relay.Address, folder, "--sandbox", "off", "--slots", "1"))
        {
            await Eventually.TrueAsync(() => "the worker has joined", Within, async () => await server.MetricAsync("remoteexec_pool_slots") > 0);
            var cut = relay.Allow(FileBytes);
            running = RunAsync(executor, data, input);
            await cut.WaitAsync(Within);
            // Some of it may be in the sockets still, and what came of a batch that is not whole is lost.
            string kept = Path.Combine(folder, "unfinished");
            await Eventually.TrueAsync(
                () => $"some of it is in {kept}", Within,
                () => ValueTask.FromResult(Directory.Exists(kept) && Directory.EnumerateFiles(kept).Sum(file => new FileInfo(file).Length) > FileBytes / 2));
            await killed.KillAsync();
        }

        long keptBytes = Pages(data, await File.ReadAllBytesAsync(Directory.EnumerateFiles(Path.Combine(folder, "unfinished")).Single()));
        long before = relay.PassedBytes;
        _ = relay.Allow(long.MaxValue);
        await using var worker = WorkerProcess.StartAt(relay.Address, folder, "--sandbox", "off", "--slots", "1");
        var output = await running;

        // What was being written at the kill, four mebibytes at most, and messages about all of it.
        Assert.That(relay.PassedBytes - before, Is.InRange(1, data.Length - keptBytes + (5 * MebiByte)));
        Assert.That(keptBytes, Is.GreaterThan(FileBytes / 4));
        Assert.That((await executor.ReadAsync(output)).Content.AsSpan().SequenceEqual([.. data, .. "the end\n"u8]));
        Assert.That(Directory.EnumerateFiles(Path.Combine(folder, "unfinished")), Is.Empty);
        await worker.StopAsync();
        await server.StopAsync();
    }

    /// <summary>How much of a file is what it is to become; the rest are holes.</summary>
    private static long Pages(byte[] whole, byte[] beginning)
    {
        const int Page = 4096;
        return Page * Enumerable.Range(0, beginning.Length / Page).LongCount(i => beginning.AsSpan(i * Page, Page).SequenceEqual(whole.AsSpan(i * Page, Page)));
    }

    /// <summary>An action whose output is its input and a line.</summary>
    private static async Task<RawBlob> RunAsync(RawExecutor executor, byte[] data, RawBlob? stored = null)
    {
        var input = stored ?? await executor.StoreLargeAsync(data);
        var result = await executor.ExecuteAsync(new RawAction("/bin/sh", "-c", "{ cat in; echo the end; } > out") { Inputs = [("in", input, false)], Outputs = ["out"] });
        Assert.That((result.Status, result.ExitCode), Is.EqualTo((RawStatus.Ok, 0)), result.Message);
        return result.Outputs["out"];
    }
}
