using System.Text;
using Build.Bazel.Remote.Execution.V2;

namespace RemoteExec.Protocol;

/// <summary>
/// The canonical form of a Directory (REAPI Directory, X12): every name one segment, each list sorted, no name twice
/// among the three lists, every digest of the tree's function.
/// </summary>
public static class DirectoryChecks
{
    /// <summary>PATH_MAX: a longer target cannot be made.</summary>
    public const int SymlinkTargetBytesMax = 4095;

    // google.protobuf.Timestamp: 0001-01-01 to 9999-12-31.
    private const long MtimeSecondsMin = -62_135_596_800;
    private const long MtimeSecondsMax = 253_402_300_799;
    private const int NanosecondsMax = 999_999_999;

    // Attributes are a handful; the bound keeps a hostile node from costing more than its name.
    private const int NodePropertiesMax = 64;

    /// <summary>Only that every name can be one: what a Directory inside of a Tree has to keep. The answer is what is wrong, or null.</summary>
    public static string? CheckNames(WireDirectory directory)
    {
        string? error = null;
        foreach (var file in directory.Files) error ??= NodeName.Check(file.Name);
        foreach (var child in directory.Directories) error ??= NodeName.Check(child.Name);
        foreach (var link in directory.Symlinks) error ??= NodeName.Check(link.Name);
        return error;
    }

    /// <summary>The answer is what is wrong, in one sentence, or null.</summary>
    public static string? Check(WireDirectory directory, DigestFunction function, bool allowAbsoluteSymlinks)
    {
        string? error = CheckProperties(directory.NodeProperties, "the directory itself");

        string? previous = null;
        for (int i = 0; i < directory.Files.Count && error is null; i++)
        {
            var file = directory.Files[i];
            error = CheckName(file.Name, ref previous)
                ?? CheckDigest(file.Digest, function, file.Name)
                ?? CheckProperties(file.NodeProperties, file.Name);
        }

        previous = null;
        for (int i = 0; i < directory.Directories.Count && error is null; i++)
        {
            var child = directory.Directories[i];
            error = CheckName(child.Name, ref previous) ?? CheckDigest(child.Digest, function, child.Name);
        }

        previous = null;
        for (int i = 0; i < directory.Symlinks.Count && error is null; i++)
        {
            var link = directory.Symlinks[i];
            error = CheckName(link.Name, ref previous)
                ?? CheckTarget(link, allowAbsoluteSymlinks)
                ?? CheckProperties(link.NodeProperties, link.Name);
        }

        return error ?? CheckNoNameTwice(directory);
    }

    private static string? CheckName(string name, ref string? previous)
    {
        string? error = NodeName.Check(name);
        if (error is not null) return error;

        if (previous is not null)
        {
            int order = NodeName.Compare(previous, name);
            if (order == 0) return $"the name '{name}' stands twice";
            if (order > 0) return $"'{name}' stands after '{previous}', names are sorted by their bytes";
        }

        previous = name;
        return null;
    }

    private static string? CheckDigest(WireDigest? digest, DigestFunction function, string name) =>
        WireDigests.TryFromWire(digest, function, out _, out string? error) ? null : $"the digest of '{name}': {error}";

    // `..` is legal anywhere in a target: it resolves inside the action's private root.
    private static string? CheckTarget(SymlinkNode link, bool allowAbsoluteSymlinks)
    {
        if (link.Target.Length == 0) return $"the link '{link.Name}' has no target";
        if (link.Target.Contains('\0', StringComparison.Ordinal)) return $"the target of the link '{link.Name}' has a NUL";
        if (Encoding.UTF8.GetByteCount(link.Target) > SymlinkTargetBytesMax)
            return $"the target of the link '{link.Name}' is longer than {SymlinkTargetBytesMax} bytes";
        if (!allowAbsoluteSymlinks && link.Target[0] == '/')
            return $"the link '{link.Name}' points to the absolute path '{link.Target}', which this server disallows";
        return null;
    }

    private static string? CheckProperties(NodeProperties? properties, string name)
    {
        if (properties is null) return null;
        if (properties.Mtime is { } time && (time.Seconds is < MtimeSecondsMin or > MtimeSecondsMax || time.Nanos is < 0 or > NanosecondsMax))
            return $"the mtime of '{name}' is no time between the years 1 and 9999";
        if (properties.Properties.Count > NodePropertiesMax) return $"'{name}' has more than {NodePropertiesMax} node properties";

        for (int i = 1; i < properties.Properties.Count; i++)
        {
            if (NodeName.Compare(properties.Properties[i - 1].Name, properties.Properties[i].Name) >= 0)
                return $"the node properties of '{name}' are not sorted by name";
        }

        return null;
    }

    /// <summary>Merges the three sorted lists, which finds a common name without a set.</summary>
    private static string? CheckNoNameTwice(WireDirectory directory)
    {
        var files = directory.Files;
        var children = directory.Directories;
        var links = directory.Symlinks;
        int f = 0, d = 0, s = 0;
        string? previous = null;
        while (true)
        {
            string? next = null;
            if (f < files.Count) next = files[f].Name;
            if (d < children.Count && (next is null || NodeName.Compare(children[d].Name, next) < 0)) next = children[d].Name;
            if (s < links.Count && (next is null || NodeName.Compare(links[s].Name, next) < 0)) next = links[s].Name;
            if (next is null) return null;
            if (next == previous) return $"the name '{next}' stands twice";

            // One list moves at a time, so a twin in another list comes up in the next round.
            if (f < files.Count && files[f].Name == next) f++;
            else if (d < children.Count && children[d].Name == next) d++;
            else s++;
            previous = next;
        }
    }
}
