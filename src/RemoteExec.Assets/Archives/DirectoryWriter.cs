using Build.Bazel.Remote.Execution.V2;
using Google.Protobuf;
using Grpc.Core;
using RemoteExec.Core;
using RemoteExec.Protocol;

namespace RemoteExec.Assets;

/// <summary>Makes canonical Directories (REAPI X12) of what was unpacked, children before their parents.</summary>
internal sealed class DirectoryWriter(UnpackedBlobs blobs, DigestFunction function, TreeLimits limits)
{
    private long _bytes;

    // As deep as paths may be, which is bounded.
    public async ValueTask<Digest> WriteAsync(UnpackedDirectory directory, CancellationToken cancellationToken)
    {
        var message = new WireDirectory();
        string[] names = [.. directory.Entries.Keys];
        Array.Sort(names, NodeName.Compare);
        foreach (string name in names)
        {
            switch (directory.Entries[name])
            {
                case UnpackedFile file:
                    message.Files.Add(new FileNode { Name = name, Digest = file.Digest.ToWire(), IsExecutable = file.IsExecutable });
                    break;
                case UnpackedSymlink link:
                    message.Symlinks.Add(new SymlinkNode { Name = name, Target = link.Target });
                    break;
                case UnpackedDirectory child:
                    message.Directories.Add(new DirectoryNode { Name = name, Digest = (await WriteAsync(child, cancellationToken)).ToWire() });
                    break;
            }
        }

        // Before it is made: no action could have such an input (REAPI, Directory).
        int length = message.CalculateSize();
        _bytes += length;
        if (length > limits.DirectoryBytesMax) throw TooBig($"has a directory of more than {limits.DirectoryBytesMax} bytes");
        if (_bytes > limits.DirectoriesBytesMax) throw TooBig($"has directories of more than {limits.DirectoriesBytesMax} bytes");
        byte[] bytes = message.ToByteArray();
        return bytes.Length == 0 ? Digest.Empty(function) : await blobs.AddAsync(bytes, cancellationToken);
    }

    private static RpcException TooBig(string what) => RpcErrors.Of(StatusCode.ResourceExhausted, what);
}
