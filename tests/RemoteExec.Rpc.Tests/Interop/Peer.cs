using System.Diagnostics;

namespace RemoteExec.Rpc.Tests;

/// <summary>Runs peers that this project did not write. One that is missing fails the test and names its package.</summary>
internal static class Peer
{
    public static string Script(string name) => Path.Combine(AppContext.BaseDirectory, "Interop", name);

    public static async Task<string> RequirePythonAsync()
    {
        // The system's interpreter: python3-grpcio belongs to it.
        const string python = "/usr/bin/python3";
        await RequireAsync("python3-grpcio", python, "-c", "import grpc");
        return python;
    }

    public static async Task<string> CompileAsync(string source, string directory)
    {
        string program = Path.Combine(directory, Path.GetFileNameWithoutExtension(source));
        await RequireAsync("g++, libgrpc++-dev", "g++", "-std=c++17", "-O0", "-o", program, Script(source), // abseil comes in through grpc++ headers: its libraries are whatever those depend on
            "-Wl,--copy-dt-needed-entries", "-lgrpc++", "-lgrpc", "-lgpr");
        return program;
    }

    public static Process Start(string program, params string[] arguments) => Process.Start(new ProcessStartInfo(program, arguments)
    {
        RedirectStandardInput = true,
        RedirectStandardOutput = true,
        RedirectStandardError = true,
    })!; // null only with UseShellExecute

    /// <summary>Runs it to its end, and gives back its exit code and all it said.</summary>
    public static async Task<(int ExitCode, string Output)> RunAsync(string program, params string[] arguments)
    {
        using var process = Start(program, arguments);
        process.StandardInput.Close();
        var output = process.StandardOutput.ReadToEndAsync();
        var errors = process.StandardError.ReadToEndAsync();
        try
        {
            await process.WaitForExitAsync().WaitAsync(TimeSpan.FromMinutes(3));
        }
        catch (TimeoutException)
        {
            process.Kill(entireProcessTree: true);
            throw;
        }

        return (process.ExitCode, await output + await errors);
    }

    private static async Task RequireAsync(string package, string program, params string[] arguments)
    {
        try
        {
            var (exitCode, output) = await RunAsync(program, arguments);
            Assert.That(exitCode, Is.Zero, $"apt-get install {package}: {output}");
        }
        catch (System.ComponentModel.Win32Exception exception)
        {
            Assert.Fail($"apt-get install {package}: {exception.Message}");
        }
    }
}
