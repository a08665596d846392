using System.Formats.Tar;

namespace RemoteExec.Assets;

/// <summary>The entries of a tar, first to last.</summary>
internal sealed class TarStream(UnpackedTree tree, UnpackedBlobs blobs)
{
    private const UnixFileMode Executable = UnixFileMode.UserExecute;

    public async ValueTask ReadAsync(Stream stream, CancellationToken cancellationToken)
    {
        await using var tar = new TarReader(stream);
        while (await tar.GetNextEntryAsync(copyData: false, cancellationToken) is { } entry)
        {
            // Its content would be a map of holes, under a name that is none.
            if (entry is PaxTarEntry pax && pax.ExtendedAttributes.Keys.Any(key => key.StartsWith("GNU.sparse.", StringComparison.Ordinal)))
                throw UnpackedTree.Bad("it has a sparse file; tar without --sparse makes none");

            switch (entry.EntryType)
            {
                case TarEntryType.RegularFile or TarEntryType.V7RegularFile or TarEntryType.ContiguousFile:
                    tree.AddFile(entry.Name, await blobs.AddAsync(entry.DataStream, entry.Length, cancellationToken), entry.Mode.HasFlag(Executable));
                    break;
                case TarEntryType.Directory:
                    tree.AddDirectory(entry.Name);
                    break;
                case TarEntryType.SymbolicLink:
                    tree.AddSymlink(entry.Name, entry.LinkName);
                    break;
                case TarEntryType.HardLink:
                    tree.AddHardLink(entry.Name, entry.LinkName);
                    break;
                case TarEntryType.GlobalExtendedAttributes:
                    break; // `git archive` says the commit there
                default:
                    throw UnpackedTree.Bad($"it has an entry of the kind {entry.EntryType}");
            }
        }
    }
}
