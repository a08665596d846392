using System.Diagnostics;
using System.Globalization;
using System.Text;
using Grpc.Core;
using RemoteExec.Core;
using RemoteExec.Protocol;

namespace RemoteExec.Assets;

/// <summary>
/// Runs the machine's git with nothing of the machine's or of anybody's configuration: no hooks, no helpers, no questions, no other protocol than
/// http and https, no redirects, and no file longer than so many bytes.
/// </summary>
/// <param name="home">A folder of this fetch alone.</param>
internal sealed class GitProgram(string home, long fileBytesMax)
{
    // What it says when it fails; more is read and dropped.
    private const int WordsMax = 2048;

    private readonly List<(string Name, string Value)> _settings =
    [
        ("core.hooksPath", "/dev/null"), ("credential.helper", ""), ("core.askPass", "true"), ("http.followRedirects", "false"), ("http.proxy", ""),
        ("http.lowSpeedLimit", "1000"), ("http.lowSpeedTime", "60"), ("fetch.fsckObjects", "true"), ("gc.auto", "0"), ("maintenance.auto", "false"),
        ("protocol.allow", "never"), ("protocol.http.allow", "always"), ("protocol.https.allow", "always"), ("submodule.recurse", "false"),
    ];

    /// <summary>A setting for all that is run. In the environment, not in the arguments: those every user of the machine reads.</summary>
    public void Set(string name, string value) => _settings.Add((name, value));

    /// <summary>Runs it to its end.</summary>
    /// <param name="output">Takes what it writes; null drops that.</param>
    /// <returns>Null when all went well, else its last words.</returns>
    /// <exception cref="RpcException">FAILED_PRECONDITION where there is no git.</exception>
    public async ValueTask<string?> RunAsync(IEnumerable<string> arguments, SpooledFile? output, CancellationToken cancellationToken)
    {
        using var process = Start(arguments);
        try
        {
            var words = ReadWordsAsync(process.StandardError, cancellationToken);
            await CopyAsync(process.StandardOutput.BaseStream, output, cancellationToken);
            string said = await words;
            await process.WaitForExitAsync(cancellationToken);
            return process.ExitCode == 0 ? null : said.Trim();
        }
        finally
        {
            if (!process.HasExited)
            {
                process.Kill(entireProcessTree: true);
                await process.WaitForExitAsync(CancellationToken.None); // killed: it comes
            }
        }
    }

    private static async Task CopyAsync(Stream from, SpooledFile? to, CancellationToken cancellationToken)
    {
        byte[] piece = GC.AllocateUninitializedArray<byte>(128 << 10);
        for (int read; (read = await from.ReadAsync(piece, cancellationToken)) > 0;)
        {
            if (to is not null) await to.AppendAsync(piece.AsMemory(0, read), cancellationToken);
        }
    }

    private static async Task<string> ReadWordsAsync(StreamReader from, CancellationToken cancellationToken)
    {
        var words = new StringBuilder();
        char[] piece = new char[1024];
        for (int read; (read = await from.ReadAsync(piece, cancellationToken)) > 0;)
            words.Append(piece, 0, Math.Min(read, WordsMax - words.Length));
        return words.ToString();
    }

    private Process Start(IEnumerable<string> arguments)
    {
        // A pack that grows beyond the limit ends its writer; there is no option of git for it. In units of 512 bytes (POSIX, ulimit).
        string blocks = (fileBytesMax / 512).ToString(CultureInfo.InvariantCulture);
        var start = new ProcessStartInfo("/bin/sh", ["-c", "ulimit -f \"$0\" && exec git \"$@\"", blocks, .. arguments])
        {
            WorkingDirectory = home,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment.Clear();
        start.Environment["PATH"] = "/usr/local/bin:/usr/bin:/bin";
        start.Environment["HOME"] = home;
        start.Environment["LC_ALL"] = "C";
        start.Environment["GIT_CONFIG_NOSYSTEM"] = "1";
        start.Environment["GIT_CONFIG_GLOBAL"] = "/dev/null";
        start.Environment["GIT_TERMINAL_PROMPT"] = "0";
        start.Environment["GIT_ALLOW_PROTOCOL"] = "http:https";
        start.Environment["GIT_CONFIG_COUNT"] = _settings.Count.ToString(CultureInfo.InvariantCulture);
        for (int i = 0; i < _settings.Count; i++)
        {
            start.Environment[$"GIT_CONFIG_KEY_{i}"] = _settings[i].Name;
            start.Environment[$"GIT_CONFIG_VALUE_{i}"] = _settings[i].Value;
        }

        try
        {
            var process = Process.Start(start) ?? throw new UnreachableException("a new process is always new");
            process.StandardInput.Close();
            return process;
        }
        catch (System.ComponentModel.Win32Exception absent)
        {
            throw RpcErrors.Of(StatusCode.FailedPrecondition, $"git cannot be run here: {PrintableText.Escape(absent.Message, 128)}");
        }
    }
}
