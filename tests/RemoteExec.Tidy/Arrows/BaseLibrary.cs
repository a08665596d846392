namespace RemoteExec.Tidy;

/// <summary>The assemblies of the .NET runtime itself, without ASP.NET Core and packages: the files beside System.Private.CoreLib.</summary>
internal static class BaseLibrary
{
    private static readonly HashSet<string> Names =
    [
        .. Directory.EnumerateFiles(Path.GetDirectoryName(typeof(object).Assembly.Location)!, "*.dll")
            .Select(path => Path.GetFileNameWithoutExtension(path)),
    ];

    public static bool Contains(string assembly) => Names.Contains(assembly);
}
