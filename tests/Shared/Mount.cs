using System.Diagnostics;
using NUnit.Framework;

namespace RemoteExec.Testing;

/// <summary>A file system of the test's own. Needs root, which the tests' machine has; a failure says so.</summary>
internal sealed class Mount : IDisposable
{
    private Mount(string path) => Path = path;

    public string Path { get; }

    private string Filler => System.IO.Path.Combine(Path, "filler");

    public static Mount Tmpfs(string path, string options)
    {
        Directory.CreateDirectory(path);
        Run("mount", "-t", "tmpfs", "-o", options, "tmpfs", path);
        return new Mount(path);
    }

    public static Mount Image(string image, string path, string options)
    {
        Directory.CreateDirectory(path);
        Run("mount", "-o", $"loop,{options}", image, path);
        return new Mount(path);
    }

    /// <summary>Leaves no byte free, until <see cref="Empty"/>.</summary>
    public void Fill()
    {
        byte[] piece = new byte[4096];
        using var filler = File.OpenHandle(Filler, FileMode.Create, FileAccess.Write);
        Assert.Throws<IOException>(() =>
        {
            for (long end = 0; ; end += piece.Length) RandomAccess.Write(filler, piece, end);
        });
    }

    /// <summary>Frees some of what <see cref="Fill"/> took.</summary>
    public void Free(int bytes)
    {
        using var filler = File.OpenHandle(Filler, FileMode.Open, FileAccess.Write);
        RandomAccess.SetLength(filler, RandomAccess.GetLength(filler) - bytes);
    }

    public void Empty() => File.Delete(Filler);

    public static void Run(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true })!;
        string error = process.StandardError.ReadToEnd();
        process.WaitForExit();
        Assert.That(process.ExitCode, Is.Zero, $"{program} {string.Join(' ', arguments)} (this test needs root and loop devices): {error}");
    }

    public void Dispose()
    {
        try
        {
            Run("umount", Path);
        }
        catch (AssertionException)
        {
            // Somebody leaks a descriptor: that fails the test, but must not leave a mount behind.
            Run("umount", "--lazy", Path);
            throw;
        }
    }
}
