using System.Diagnostics;
using NUnit.Framework;

namespace RemoteExec.EndToEnd;

/// <summary><c>hostile.c</c>, compiled once: the program that actions try the walls with.</summary>
internal static class HostileProgram
{
    public const string Name = "hostile";

    private static readonly Lazy<byte[]> s_bytes = new(Compile);

    public static byte[] Bytes => s_bytes.Value;

    /// <summary>Its processes, as the host numbers them, that were started with this argument.</summary>
    public static IReadOnlyList<int> Running(string argument) =>
    [
        .. ProcessTable.WithArgument(argument).Where(process => process.Contains(Name, StringComparison.Ordinal))
            .Select(process => int.Parse(process[..process.IndexOf(':', StringComparison.Ordinal)])),
    ];

    private static byte[] Compile()
    {
        string program = Lab.NewFolder(Name);
        string source = Path.Combine(BuiltPrograms.RepositoryRoot, "tests/RemoteExec.EndToEnd/Walls/hostile.c");
        using var compiler = Process.Start("gcc", ["-O1", "-static", "-s", "-Wno-unused-result", "-o", program, source]);
        compiler.WaitForExit();
        Assert.That(compiler.ExitCode, Is.Zero, "hostile.c does not compile");
        return File.ReadAllBytes(program);
    }
}
