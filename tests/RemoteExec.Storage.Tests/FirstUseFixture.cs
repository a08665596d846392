using Microsoft.Win32.SafeHandles;
using RemoteExec.Core;

namespace RemoteExec.Storage.Tests;

/// <summary>A store under which the machine goes down.</summary>
public abstract class FirstUseFixture : DiskFixture
{
    private protected const int BlobBytes = 10_000;
    private protected const int PieceBytes = 4 << 20; // of a look at a large one

    private protected static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private protected string NotePath => Path.Combine(StoreDirectory, "unsure");

    private protected override bool IsPacked => false;

    private protected async Task<Digest> LoseAsync(byte[] data)
    {
        Digest digest;
        await using (var store = await OpenAsync()) digest = await store.PutAsync(data);
        LosePower();
        Zero(digest);
        return digest;
    }

    /// <summary>As the next run sees it: the log of uses is never flushed.</summary>
    private protected void LosePower() => File.Delete(Path.Combine(StoreDirectory, "uses"));

    private protected void Zero(Digest digest) => ZeroFile(FileOf(digest));

    private protected static void ZeroFile(string path)
    {
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        File.WriteAllBytes(path, new byte[new FileInfo(path).Length]);
    }

    private protected sealed class CorruptionNews : IBlobStoreObserver
    {
        private int _corrupted;

        public int Corruptions => Volatile.Read(ref _corrupted);

        public void Corrupted() => Interlocked.Increment(ref _corrupted);
    }

    private protected sealed class MeteredDisk : IDisk
    {
        private readonly Disk _disk = new();
        private readonly TaskCompletionSource _begun = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly ManualResetEventSlim _held = new(initialState: false);
        private long _readBytes;

        /// <summary>Nothing is read before <see cref="LetGo"/>.</summary>
        public bool IsHeld { get; init; }

        /// <summary>Somebody wants to read.</summary>
        public Task Begun => _begun.Task;

        public int ReadFault { get; init; }

        public List<string> FlushedPaths { get; } = [];

        public int FileSystemFault { get; init; }

        public int FileSystemFlushes { get; private set; }

        public long ReadBytes => Interlocked.Read(ref _readBytes);

        public void LetGo() => _held.Set();

        public int Flush(SafeFileHandle fileOrDirectory)
        {
            lock (FlushedPaths) FlushedPaths.Add(File.ResolveLinkTarget($"/proc/self/fd/{fileOrDirectory.DangerousGetHandle()}", returnFinalTarget: false)!.FullName);
            return _disk.Flush(fileOrDirectory);
        }

        public int FlushFileSystem(SafeFileHandle fileOrDirectory)
        {
            FileSystemFlushes++;
            return FileSystemFault;
        }

        public int Read(SafeFileHandle file, Span<byte> buffer, long offset)
        {
            _begun.TrySetResult();
            if (IsHeld && !_held.Wait(Patience)) throw new TimeoutException("nobody let go");
            if (ReadFault != 0) throw new FileSystemException("reading", ReadFault);
            int read = _disk.Read(file, buffer, offset);
            Interlocked.Add(ref _readBytes, read);
            return read;
        }
    }
}
