using System.Globalization;
using RemoteExec.Core;
using RemoteExec.Rpc;
using RemoteExec.Storage;

namespace RemoteExec.Server.Tests;

/// <summary>What a worker's transfers make of a coordinator that is killed and comes back.</summary>
public sealed class KilledServerTests
{
    [Test]
    public async Task An_upload_of_outputs_goes_on_over_kill_9()
    {
        using var data = new TemporaryFolder();
        byte[] output = new byte[32 << 20];
        new Random(9).NextBytes(output);
        var digest = Digest.Of(DigestFunction.Sha256, output);
        string port = FreePort.Next().ToString(CultureInfo.InvariantCulture);
        string[] flags = ["--grpc", $"127.0.0.1:{port}", "--data-dir", data.Path];
        await using var first = ServerProgram.Start(flags);
        using var channel = RpcChannels.Create(await first.ReadyAsync());
        var store = new RemoteBlobStore(channel, InstanceName.Empty, new RemoteBlobStoreOptions { OutageMax = TimeSpan.FromMinutes(1) });
        var (paused, goOn) = (new TaskCompletionSource(), new TaskCompletionSource());
        var copying = store.WriteFromAsync(
            digest, (offset, _) => ValueTask.FromResult<IBlobReader?>(new PausingReader(output, offset, 20 << 20, paused, goOn.Task)), default).AsTask();
        await paused.Task;
        await first.KillAsync();
        goOn.SetResult();
        await using var second = ServerProgram.Start(flags);
        await second.ReadyAsync();
        await copying;

        Assert.That((await store.ReadAllAsync(digest, output.Length, default))!.Value.Span.SequenceEqual(output), Is.True);
    }

    /// <summary>Bytes that stop coming at one place until the test lets them.</summary>
    private sealed class PausingReader(byte[] data, long offset, long pauseAt, TaskCompletionSource paused, Task goOn) : IBlobReader
    {
        private long _position = offset;

        public long RemainingBytes => data.Length - _position;

        public async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
        {
            if (_position >= pauseAt)
            {
                paused.TrySetResult();
                await goOn;
            }

            int count = (int)Math.Min(buffer.Length, RemainingBytes);
            data.AsSpan((int)_position, count).CopyTo(buffer.Span);
            _position += count;
            return count;
        }

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
