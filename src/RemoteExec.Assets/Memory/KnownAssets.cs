using System.Diagnostics.CodeAnalysis;
using Google.Protobuf;
using RemoteExec.Files;
using RemoteExec.Protocol.V1;

namespace RemoteExec.Assets;

/// <summary>
/// What is known of URIs, in a log: a killed process and a loss of power lose nothing that was told. Bounded in number and bytes; the longest
/// unused goes first. A log whose bytes are mostly those of replaced records is written anew.
/// </summary>
internal sealed class KnownAssets : IDisposable
{
    // Names, digests, and the references of one push.
    private const int RecordBytesMax = 4 << 20;

    private const long WrittenAnewAt = 1 << 20;

    private static readonly FrameFormat Format = new() { Magic = "RXASSET1", BodyBytesMax = RecordBytesMax };

    private readonly string _path;
    private readonly int _countMax;
    private readonly long _bytesMax;
    private readonly IDisk _disk;
    private readonly Lock _gate = new();
    private readonly Dictionary<ByteString, LinkedListNode<KnownAsset>> _known = [];
    private readonly LinkedList<KnownAsset> _uses = new(); // first is the longest unused
    private long _bytes; // as the log has them
    private FramedLog? _log;

    private KnownAssets(string path, int countMax, long bytesMax, IDisk disk) => (_path, _countMax, _bytesMax, _disk) = (path, countMax, bytesMax, disk);

    public static KnownAssets Open(string directory, int countMax, long bytesMax, IDisk disk)
    {
        DurableDirectory.Create(disk, directory);
        var known = new KnownAssets(Path.Combine(directory, "known.log"), countMax, bytesMax, disk);
        known.Load();
        return known;
    }

    public bool TryFind(ByteString name, [NotNullWhen(true)] out KnownAsset? found)
    {
        lock (_gate)
        {
            found = null;
            if (!_known.TryGetValue(name, out var node)) return false;

            _uses.Remove(node);
            _uses.AddLast(node);
            found = node.Value;
            return true;
        }
    }

    /// <summary>Everything that is to be kept until a time, as it is now.</summary>
    public IReadOnlyList<KnownAsset> WithExpiry()
    {
        lock (_gate) return [.. _uses.Where(each => each.ExpireAt is not null)];
    }

    /// <summary>On the disk when it returns.</summary>
    /// <exception cref="IOException">It is not known, and an earlier one of its name is as before.</exception>
    public void Add(KnownAsset asset)
    {
        if (asset.CalculateSize() > RecordBytesMax) throw Protocol.RpcErrors.Invalid($"there are more references than fit a record of {RecordBytesMax} bytes");
        lock (_gate)
        {
            _log ??= Begin([]);
            if (_log.LengthBytes > WrittenAnewAt && _log.LengthBytes > 2 * _bytes) WriteAnew();
            _log.Append(FrameOf(asset).Seal());
            _log.Flush();
            Set(asset);
        }
    }

    public void Dispose()
    {
        lock (_gate) _log?.Dispose();
    }

    private static FrameBuffer FrameOf(KnownAsset asset)
    {
        var frame = new FrameBuffer(Format, asset.CalculateSize() + Format.HeadBytes);
        asset.WriteTo(frame);
        return frame;
    }

    private static long BytesOf(KnownAsset asset) => asset.CalculateSize() + Format.HeadBytes;

    private void Load()
    {
        if (!File.Exists(_path)) return;

        // What is no log of ours, or not any more, is written over: what was known of the URIs is fetched again.
        _log = FramedLog.TryOpen(_path, Format, _disk, isAlone: false, out _);
        if (_log is null) return;

        var frames = _log.ReadAll();
        while (frames.TryNext(out _, out var frame))
        {
            try
            {
                Set(KnownAsset.Parser.ParseFrom(frame[Format.HeadBytes..]));
            }
            catch (InvalidProtocolBufferException)
            {
                // An intact frame of another version: it says nothing that we know.
            }
        }

        _log.CutAt(frames.End);
    }

    private void Set(KnownAsset asset)
    {
        Drop(asset.Name);
        _known[asset.Name] = _uses.AddLast(asset);
        _bytes += BytesOf(asset);
        while ((_known.Count > _countMax || _bytes > _bytesMax) && _known.Count > 1) Drop(_uses.First!.Value.Name);
    }

    private void Drop(ByteString name)
    {
        if (!_known.Remove(name, out var node)) return;
        _uses.Remove(node);
        _bytes -= BytesOf(node.Value);
    }

    private void WriteAnew()
    {
        var old = _log;
        _log = Begin(_uses);
        old?.Dispose();
    }

    private FramedLog Begin(IEnumerable<KnownAsset> assets)
    {
        var log = FramedLog.Begin(_path, Format, _disk, isAlone: false);
        try
        {
            foreach (var asset in assets) log.Append(FrameOf(asset).Seal());
            log.Flush();
            log.Publish();
            DurableDirectory.Flush(_disk, Path.GetDirectoryName(_path)!); // a file is in a directory
            return log;
        }
        catch
        {
            log.Dispose();
            throw;
        }
    }
}
