using RemoteExec.Protocol;

namespace RemoteExec.Assets;

/// <summary>Where downloads lie until they are known to be right. What a process that was killed left there goes at the next start.</summary>
internal sealed class Spool
{
    private readonly string _directory;
    private readonly long _bytesMax;
    private readonly long _totalBytesMax;
    private long _bytes;

    /// <param name="bytesMax">Of one.</param>
    public Spool(string directory, long bytesMax, long totalBytesMax)
    {
        (_directory, _bytesMax, _totalBytesMax) = (directory, bytesMax, totalBytesMax);
        if (System.IO.Directory.Exists(directory)) System.IO.Directory.Delete(directory, recursive: true);
        System.IO.Directory.CreateDirectory(directory);
    }

    public long Bytes => Volatile.Read(ref _bytes);

    public SpooledFile Create() => new(this, Path.Combine(_directory, Guid.NewGuid().ToString("N")));

    /// <summary>Room for more of a file that has so many.</summary>
    /// <exception cref="Grpc.Core.RpcException">RESOURCE_EXHAUSTED.</exception>
    public void Take(long has, long more)
    {
        if (more > _bytesMax - has) throw RpcErrors.Of(Grpc.Core.StatusCode.ResourceExhausted, $"is larger than the {_bytesMax} bytes that are fetched (--fetch-size-max)");
        if (Interlocked.Add(ref _bytes, more) <= _totalBytesMax) return;

        Interlocked.Add(ref _bytes, -more);
        throw RpcErrors.Exhausted($"other downloads take the {_totalBytesMax} bytes that there are for them");
    }

    public void GiveBack(long bytes) => Interlocked.Add(ref _bytes, -bytes);
}
