using Grpc.Core;
using NUnit.Framework;

namespace RemoteExec.Storage.Tests;

public sealed class ZstdTests
{
    private static readonly TimeSpan Retention = TimeSpan.FromHours(4);

    private readonly ManualTime _time = new();
    private ZstdDecoders _decoders = null!;

    [SetUp]
    public void MakeDecoders() => _decoders = new ZstdDecoders(_time);

    [TearDown]
    public void DropDecoders() => _decoders.Dispose();

    [Test]
    public void A_blob_survives_the_way_there_and_back([Values(0, 1, 1000, 128 << 10, 3_000_001)] int sizeBytes)
    {
        byte[] data = Blobs.Of(sizeBytes, sizeBytes);

        Assert.That(Zstd.Decompress(Zstd.Compress(data), sizeBytes).AsSpan().SequenceEqual(data));
    }

    [Test]
    public void A_bomb_is_cut_at_the_announced_size()
    {
        byte[] bomb = Zstd.Compress(new byte[64 << 20]);

        Assert.That(bomb, Has.Length.LessThan(16 << 10));
        Assert.That(Code(() => Zstd.Decompress(bomb, 1 << 20)), Is.EqualTo(StatusCode.InvalidArgument));
        Assert.That(Code(() => Zstd.Decompress(bomb, 0)), Is.EqualTo(StatusCode.InvalidArgument));
    }

    [Test]
    public void A_stream_cut_anywhere_is_refused()
    {
        byte[] whole = Zstd.Compress(Blobs.Of(1, 300));
        for (int length = 0; length < whole.Length; length++)
            Assert.That(Code(() => Zstd.Decompress(whole.AsSpan(0, length), 300)), Is.EqualTo(StatusCode.InvalidArgument), $"{length} bytes");
    }

    [Test]
    public void Garbage_after_the_frame_is_refused()
    {
        byte[] whole = Zstd.Compress(Blobs.Of(1, 300));

        Assert.That(Code(() => Zstd.Decompress([.. whole, 1, 2, 3, 4, 5], 300)), Is.EqualTo(StatusCode.InvalidArgument));
        Assert.That(Code(() => Zstd.Decompress([.. whole, 0x28], 300)), Is.EqualTo(StatusCode.InvalidArgument));
    }

    [Test]
    public void Several_frames_are_one_blob()
    {
        byte[] first = Blobs.Of(1, 300), second = Blobs.Of(2, 70_000);

        Assert.That(Zstd.Decompress([.. Zstd.Compress(first), .. Zstd.Compress(second)], 70_300), Is.EqualTo(first.Concat(second)));
    }

    [Test]
    public async Task A_window_beyond_8_MiB_is_refused_before_memory_is_taken()
    {
        // RFC 8878 3.1.1: magic | descriptor 0 (no size, window byte follows) | window 2^(10+17) | one raw block, last, 1 byte
        byte[] frame = [0x28, 0xB5, 0x2F, 0xFD, 0x00, 17 << 3, 0x09, 0x00, 0x00, 0x41];
        byte[] harmless = [.. frame];
        harmless[5] = 13 << 3; // 2^23

        var store = NewStore();
        await UploadAsync(store, "A"u8.ToArray(), harmless);
        Assert.That(await CodeOfAsync(() => UploadAsync(store, "A"u8.ToArray(), frame)), Is.EqualTo(StatusCode.InvalidArgument));
        // A whole blob needs no window beside itself.
        Assert.That(Zstd.Decompress(frame, 1), Is.EqualTo("A"u8.ToArray()));
    }

    [Test]
    public void Mutated_streams_give_the_announced_bytes_or_a_refusal()
    {
        int seed = Environment.TickCount;
        TestContext.Out.WriteLine($"seed {seed}");
        var random = new Random(seed);
        byte[] compressible = new byte[20_000];
        for (int i = 0; i < compressible.Length; i++) compressible[i] = (byte)(i / 7 * i);
        byte[] whole = Zstd.Compress(compressible);
        for (int round = 0; round < 5000; round++)
        {
            byte[] mutated = [.. whole];
            for (int i = random.Next(1, 4); i > 0; i--) mutated[random.Next(mutated.Length)] = (byte)random.Next(256);
            try
            {
                Assert.That(Zstd.Decompress(mutated, compressible.Length), Has.Length.EqualTo(compressible.Length));
            }
            catch (RpcException refused)
            {
                Assert.That(refused.StatusCode, Is.EqualTo(StatusCode.InvalidArgument));
            }
        }
    }

    [Test]
    public async Task A_compressed_upload_becomes_the_plain_blob_whatever_its_pieces()
    {
        int seed = Environment.TickCount;
        TestContext.Out.WriteLine($"seed {seed}");
        var random = new Random(seed);
        for (int round = 0; round < 20; round++)
        {
            byte[] data = new byte[random.Next(1, 2_000_000)];
            random.NextBytes(data.AsSpan(0, data.Length / 2)); // the other half compresses to nothing
            byte[] compressed = Zstd.Compress(data);
            var store = NewStore();
            await using (var writer = await WriterAsync(store, data))
            {
                for (int at = 0; at < compressed.Length;)
                {
                    int count = random.Next(0, Math.Min(compressed.Length - at, 100_000) + 1);
                    await writer.AppendAsync(compressed.AsMemory(at, count), default);
                    at += count;
                }

                await writer.CommitAsync(default);
                Assert.That(writer.WrittenBytes, Is.EqualTo(data.Length));
            }

            Assert.That((await store.GetAsync(Blobs.DigestOf(data))).AsSpan().SequenceEqual(data));
        }
    }

    [Test]
    public async Task A_compressed_upload_that_is_cut_short_or_too_long_stores_nothing()
    {
        byte[] data = Blobs.Of(1, 100_000);
        byte[] compressed = Zstd.Compress(data);
        var store = NewStore();
        await using (var writer = await WriterAsync(store, data))
        {
            // All bytes of the content are out already, only the end mark is missing.
            await writer.AppendAsync(compressed.AsMemory(0, compressed.Length - 1), default);
            Assert.That(Assert.ThrowsAsync<RpcException>(async () => await writer.CommitAsync(default))!.StatusCode, Is.EqualTo(StatusCode.InvalidArgument));
        }

        await using (var writer = await WriterAsync(store, data))
        {
            byte[] bomb = Zstd.Compress(new byte[100_001]);
            Assert.That(
                Assert.ThrowsAsync<RpcException>(async () => await writer.AppendAsync(bomb, default))!.StatusCode, Is.EqualTo(StatusCode.InvalidArgument));
        }

        Assert.That(store.Usage.Blobs + store.Usage.ReservedBytes, Is.Zero);
    }

    [Test]
    public async Task A_compressed_read_is_one_frame_whatever_the_buffer()
    {
        foreach (int sizeBytes in new[] { 0, 1, 1000, 2_000_000 })
        {
            byte[] data = Blobs.Of(sizeBytes, sizeBytes);
            var store = NewStore();
            var digest = await store.PutAsync(data);
            foreach (int bufferBytes in new[] { 1 << 20, 7919 })
            {
                await using var reader = new ZstdBlobReader((await store.OpenReadAsync(digest, 0, default))!);
                var compressed = new MemoryStream();
                byte[] buffer = new byte[bufferBytes];
                for (int read; (read = await reader.ReadAsync(buffer, default)) > 0;) compressed.Write(buffer, 0, read);

                Assert.That(Zstd.Decompress(compressed.ToArray(), sizeBytes), Is.EqualTo(data));
            }
        }
    }

    [Test]
    public async Task Decoders_in_use_are_bounded_and_the_next_one_waits_its_turn()
    {
        byte[] data = Blobs.Of(1, 600_000);
        byte[] compressed = Zstd.Compress(data);
        var store = NewStore();
        using var decoders = new ZstdDecoders(inUseMax: 2, TimeSpan.FromSeconds(20), _time);
        await using var first = await OpenAsync(decoders, store, data);
        await using var second = await OpenAsync(decoders, store, data);
        var third = OpenAsync(decoders, store, data);
        using var impatience = new CancellationTokenSource();
        var leaving = OpenAsync(decoders, store, data, impatience.Token);
        var fourth = OpenAsync(decoders, store, data);
        await impatience.CancelAsync();

        Assert.That(async () => await leaving, Throws.InstanceOf<OperationCanceledException>());
        Assert.That(third.IsCompleted || fourth.IsCompleted, Is.False);
        await second.DisposeAsync();
        await using var turn = await third;
        Assert.That(fourth.IsCompleted, Is.False);
        await turn.AppendAsync(compressed, default);
        await turn.CommitAsync(default);
        await turn.DisposeAsync();
        await using var last = await fourth;

        Assert.That(await store.GetAsync(Blobs.DigestOf(data)), Is.EqualTo(data));
    }

    [Test]
    public async Task Who_waits_too_long_for_a_decoder_is_told_to_come_back_and_holds_nothing()
    {
        byte[] data = Blobs.Of(1, 3_000_000);
        var store = NewStore();
        using var decoders = new ZstdDecoders(inUseMax: 1, TimeSpan.FromSeconds(20), _time);
        await using var first = await OpenAsync(decoders, store, data);
        await first.AppendAsync(Zstd.Compress(data).AsMemory(0, 1_500_000), default); // as fast as it has to be
        long reservedBytes = store.Usage.ReservedBytes;
        var second = OpenAsync(decoders, store, data);
        await _time.WaitForTimerAsync(TimeSpan.FromSeconds(20));
        _time.Advance(TimeSpan.FromSeconds(20));

        Assert.That(await CodeOfAsync(() => second), Is.EqualTo(StatusCode.ResourceExhausted));
        Assert.That(store.Usage.ReservedBytes, Is.EqualTo(reservedBytes));
    }

    [TestCase(10, 0, TestName = "Whoever_waits_takes_the_decoder_of_a_client_that_was_slow_before")]
    [TestCase(5, 4, TestName = "Whoever_waits_takes_the_decoder_of_a_client_that_becomes_slow_meanwhile")]
    public async Task Whoever_waits_takes_the_decoder_of_a_client_that_sends_next_to_nothing(int secondsBefore, int secondsAfter)
    {
        byte[] slow = Blobs.Of(1, 600_000), other = Blobs.Of(2, 600_000);
        byte[] slowly = Zstd.Compress(slow);
        var store = NewStore();
        using var decoders = new ZstdDecoders(inUseMax: 1, TimeSpan.FromSeconds(20), _time);
        await using var first = await OpenAsync(decoders, store, slow);
        int sent = 0;
        for (int i = 0; i < secondsBefore; i++)
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            await first.AppendAsync(slowly.AsMemory(sent++, 1), default); // alive, at a byte each second
        }

        var waiting = OpenAsync(decoders, store, other);
        for (int i = 0; i < secondsAfter; i++)
        {
            Assert.That(waiting.IsCompleted, Is.False, "nobody is judged by the first seconds");
            await first.AppendAsync(slowly.AsMemory(sent++, 1), default);
            _time.Advance(TimeSpan.FromSeconds(1));
        }

        await using (var second = await waiting)
        {
            await second.AppendAsync(Zstd.Compress(other), default);
            await second.CommitAsync(default);
        }

        Assert.That(await CodeOfAsync(async () => await first.AppendAsync(slowly.AsMemory(sent), default)), Is.EqualTo(StatusCode.ResourceExhausted));
        await first.DisposeAsync();
        await UploadAsync(decoders, store, slow, slowly); // the place was given back once
        Assert.That(await store.GetAsync(Blobs.DigestOf(slow)), Is.EqualTo(slow));
    }

    [Test]
    public async Task A_slow_client_keeps_its_decoder_while_nobody_waits()
    {
        byte[] data = Blobs.Of(1, 600_000);
        byte[] compressed = Zstd.Compress(data);
        var store = NewStore();
        await using var writer = await WriterAsync(store, data);
        await writer.AppendAsync(compressed.AsMemory(0, 1), default);
        _time.Advance(TimeSpan.FromHours(1));
        await writer.AppendAsync(compressed.AsMemory(1), default);
        await writer.CommitAsync(default);

        Assert.That(await store.GetAsync(Blobs.DigestOf(data)), Is.EqualTo(data));
    }

    [Test]
    public async Task A_decoder_that_cannot_be_made_costs_no_place()
    {
        byte[] data = Blobs.Of(1, 600_000);
        var store = NewStore();
        bool isShort = true;
        using var decoders = new ZstdDecoders(
            inUseMax: 1, TimeSpan.FromSeconds(20), _time, () => isShort ? throw new InsufficientMemoryException() : new ZstdDecoder());
        Assert.ThrowsAsync<InsufficientMemoryException>(() => OpenAsync(decoders, store, data));
        Assert.That(store.Usage.ReservedBytes, Is.Zero);

        isShort = false;
        await UploadAsync(decoders, store, data, Zstd.Compress(data));

        Assert.That(await store.GetAsync(Blobs.DigestOf(data)), Is.EqualTo(data));
    }

    [Test]
    public async Task Small_blobs_wait_for_no_decoder()
    {
        byte[] small = Blobs.Of(1, 1000);
        var store = NewStore();
        using var decoders = new ZstdDecoders(inUseMax: 1, TimeSpan.FromSeconds(20), _time);
        await using var large = await OpenAsync(decoders, store, Blobs.Of(2, 600_000));
        await using var writer = await OpenAsync(decoders, store, small);
        await writer.AppendAsync(Zstd.Compress(small), default);
        await writer.CommitAsync(default);

        Assert.That(await store.GetAsync(Blobs.DigestOf(small)), Is.EqualTo(small));
    }

    [Test]
    public async Task A_decoder_that_was_left_in_the_middle_spoils_no_later_upload()
    {
        byte[] data = Blobs.Of(1, 5000);
        byte[] compressed = Zstd.Compress(data);
        for (int cut = 0; cut < compressed.Length; cut += 97)
        {
            var store = NewStore();
            await CodeOfAsync(() => UploadAsync(store, data, compressed[..cut]));
            await using (var left = await WriterAsync(store, data))
                await left.AppendAsync(compressed.AsMemory(0, cut), default);
            await UploadAsync(store, data, compressed);
            Assert.That(await store.GetAsync(Blobs.DigestOf(data)), Is.EqualTo(data), $"after {cut} bytes");
        }
    }

    private static async Task<IBlobWriter> OpenAsync(
        ZstdDecoders decoders, IBlobStore store, byte[] data, CancellationToken cancellationToken = default) =>
        await decoders.DecodeAsync(await store.CreateWriterAsync(Blobs.DigestOf(data), default), data.Length, cancellationToken);

    private Task<IBlobWriter> WriterAsync(IBlobStore store, byte[] data) => OpenAsync(_decoders, store, data);

    private Task UploadAsync(IBlobStore store, byte[] data, byte[] compressed) => UploadAsync(_decoders, store, data, compressed);

    private static async Task UploadAsync(ZstdDecoders decoders, IBlobStore store, byte[] data, byte[] compressed)
    {
        await using var writer = await OpenAsync(decoders, store, data);
        await writer.AppendAsync(compressed, default);
        await writer.CommitAsync(default);
    }

    private static async Task<StatusCode> CodeOfAsync(Func<Task> act)
    {
        try
        {
            await act();
            return StatusCode.OK;
        }
        catch (RpcException refused)
        {
            return refused.StatusCode;
        }
    }

    private static MemoryBlobStore NewStore() => new(16 << 20, Retention, new ManualTime());

    private static StatusCode Code(Action act) => Assert.Throws<RpcException>(act)!.StatusCode;
}
