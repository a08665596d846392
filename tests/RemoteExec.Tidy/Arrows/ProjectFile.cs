using System.Xml.Linq;

namespace RemoteExec.Tidy;

/// <summary>A project file: what it says about itself.</summary>
internal sealed class ProjectFile(string path)
{
    private readonly XDocument _xml = XDocument.Parse(Repository.Read(path));

    /// <summary>Every project of the product, tests left out.</summary>
    public static IReadOnlyList<ProjectFile> OfProduct { get; } =
        [.. Repository.Files(["src", "workers"], ".csproj").Select(path => new ProjectFile(path))];

    public string Path => path;

    /// <summary>The name of the folder, RemoteExec.Storage.</summary>
    public string Name => System.IO.Path.GetFileNameWithoutExtension(path);

    public string AssemblyName => _xml.Descendants("AssemblyName").FirstOrDefault()?.Value ?? Name;

    /// <summary>Referenced projects and packages; what is private to the build (generators, analysers) ships nowhere.</summary>
    public IEnumerable<string> References =>
        Included("ProjectReference").Select(reference => System.IO.Path.GetFileNameWithoutExtension(reference.Replace('\\', '/')))
            .Concat(Included("PackageReference"))
            .Concat(Included("FrameworkReference"));

    private IEnumerable<string> Included(string kind) =>
        from reference in _xml.Descendants(kind)
        where (string?)reference.Attribute("PrivateAssets") != "all"
        select (string?)reference.Attribute("Include") into name
        where name is not null
        select name;
}
