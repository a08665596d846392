using System.Security.Cryptography;
using NUnit.Framework;

namespace RemoteExec.EndToEnd;

/// <summary>What a build left in bazel-bin: each path, and what is there.</summary>
internal sealed class OutputHashes
{
    private readonly SortedDictionary<string, string> _byPath = new(StringComparer.Ordinal);

    private OutputHashes()
    {
    }

    /// <summary>The SHA-256 of a file, or <c>-> target</c> for a relative symlink; otherwise "absent".</summary>
    public string this[string path] => _byPath.GetValueOrDefault(path, "absent");

    /// <summary>
    /// Left out are two manifests, which list absolute paths of the client, and the compiler's dependency
    /// files, which only a local build brings back. Folders count by what is in them: Bazel itself does not
    /// make the empty ones of a Tree that it downloads.
    /// </summary>
    public static OutputHashes Of(string folder)
    {
        var hashes = new OutputHashes();
        hashes.Add(new DirectoryInfo(folder), "");
        return hashes;
    }

    /// <summary>The part of it that belongs to some packages.</summary>
    public OutputHashes Under(params string[] packages)
    {
        var part = new OutputHashes();
        foreach (var (path, hash) in _byPath)
        {
            if (packages.Any(package => path.StartsWith(package + "/", StringComparison.Ordinal))) part._byPath[path] = hash;
        }

        return part;
    }

    /// <summary>Compares whole builds, and names the first differences instead of printing everything.</summary>
    public void ShouldEqual(OutputHashes expected)
    {
        var differences = expected._byPath.Keys.Union(_byPath.Keys)
            .Where(path => this[path] != expected[path])
            .Select(path => $"{path}: {this[path]}, expected {expected[path]}");

        Assert.Multiple(() =>
        {
            Assert.That(expected._byPath, Has.Count.GreaterThan(20), "there is something to compare with");
            Assert.That(differences.Take(20), Is.Empty);
        });
    }

    private void Add(DirectoryInfo parent, string prefix)
    {
        foreach (var entry in parent.EnumerateFileSystemInfos())
        {
            string path = prefix + entry.Name;
            bool isInsideLink = entry.LinkTarget is { } target && !Path.IsPathRooted(target);
            if (isInsideLink) _byPath[path] = $"-> {entry.LinkTarget}";
            else if (entry is DirectoryInfo directory) AddFolder(directory, path + "/");
            else if (!IsClientsOwn(entry.Name)) _byPath[path] = Hash(entry.FullName);
        }
    }

    // Runfiles hold absolute symlinks to folders, whose content is listed where it stands.
    private void AddFolder(DirectoryInfo folder, string prefix)
    {
        if (folder.LinkTarget is null) Add(folder, prefix);
    }

    private static bool IsClientsOwn(string name) =>
        name == "MANIFEST" || name.EndsWith(".runfiles_manifest", StringComparison.Ordinal) || name.EndsWith(".d", StringComparison.Ordinal);

    private static string Hash(string path)
    {
        using var file = File.OpenRead(path);
        return Convert.ToHexStringLower(SHA256.HashData(file));
    }
}
