using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;

namespace RemoteExec.Tidy;

/// <summary>
/// What an assembly really refers to, read from its metadata. A project file tells less: references of references are in view of the
/// compiler too.
/// </summary>
internal static class CompiledReferences
{
    public static IReadOnlyList<string> Of(string assemblyPath)
    {
        using var file = File.OpenRead(assemblyPath);
        using var image = new PEReader(file);
        var metadata = image.GetMetadataReader();
        return [.. metadata.AssemblyReferences.Select(handle => metadata.GetString(metadata.GetAssemblyReference(handle).Name))];
    }
}
