namespace RemoteExec.EndToEnd;

/// <summary>
/// A machine with next to nothing, of one user who is not root: a PATH with the tools of every system, and with stand-ins for what changes a system or
/// asks the world. Each stand-in writes its command line down, and installs stand-ins: <c>gcc</c> and <c>make</c> that are merely there, a <c>curl</c>
/// that knows one address, and what is fetched from there, an SDK that publishes programs of one line.
/// </summary>
internal sealed class BareMachine : IDisposable
{
    private static readonly TimeSpan EndWithin = TimeSpan.FromMinutes(2);

    // What Debian calls essential, as far as the scripts use it.
    private static readonly string[] Tools =
        ["bash", "cat", "chmod", "cp", "dirname", "env", "find", "grep", "ln", "mkdir", "mktemp", "mv", "readlink", "rm", "script", "sh", "touch", "uname"];

    private readonly TemporaryFolder _folder = new();

    public BareMachine()
    {
        foreach (string name in (string[])["bin", "home", "checkout/src"]) Directory.CreateDirectory(_folder.Combine(name));
        foreach (string tool in Tools) File.CreateSymbolicLink(Program(tool), PathOf(tool));
        Write("id", "echo 1000");
        Write("sudo", "echo \"sudo $*\" >>\"$CALLS\"; exec \"$@\"");
        Write("apt-cache", "exit 100");
        Write("apt-get", """
            echo "apt-get $*" >>"$CALLS"
            for word in "$@"; do
                case $word in
                    gcc | make) printf '#!/bin/sh\n' >"$MACHINE/bin/$word" ;;
                    curl) cp "$MACHINE/curl" "$MACHINE/bin/curl" ;;
                    dotnet-sdk-10.0) cp "$MACHINE/dotnet" "$MACHINE/bin/dotnet" ;;
                esac
                [ ! -e "$MACHINE/bin/$word" ] || chmod +x "$MACHINE/bin/$word"
            done
            """);
        // Kept beside until something installs them.
        WriteFile(_folder.Combine("dotnet"), """
            case $1 in
                --list-sdks) echo "10.0.100 [/sdk]" ;;
                publish)
                    # Brought by no package, so without libicu beside it.
                    if [[ $0 == "$HOME"/* && ${DOTNET_SYSTEM_GLOBALIZATION_INVARIANT:-} != 1 ]]; then
                        echo "Couldn't find a valid ICU package" >&2
                        exit 134
                    fi
                    while [ "$1" != -o ]; do shift; done
                    mkdir -p "$2"
                    printf '#!/bin/sh\necho "serving with $*"\n' >"$2/rexec-server"
                    chmod +x "$2/rexec-server"
                    ;;
            esac
            """);
        WriteFile(_folder.Combine("dotnet-install.sh"), """
            folder=$HOME/.dotnet
            while [ $# -gt 0 ]; do [ "$1" != --install-dir ] || folder=$2; shift; done
            mkdir -p "$folder"
            cp "$MACHINE/dotnet" "$folder/dotnet"
            """);
        WriteFile(_folder.Combine("curl"), """
            echo "curl $*" >>"$CALLS"
            [[ " $* " == *" https://dot.net/v1/dotnet-install.sh "* ]] || exit 6
            output=/dev/stdout
            while [ $# -gt 0 ]; do [ "$1" != -o ] || output=$2; shift; done
            cat "$MACHINE/dotnet-install.sh" >"$output"
            """);
        CopyScripts();
    }

    public string Home => _folder.Combine("home");

    /// <summary>The command lines that the stand-ins wrote down, in their order.</summary>
    public IReadOnlyList<string> Calls => File.Exists(CallsFile) ? File.ReadAllLines(CallsFile) : [];

    private string CallsFile => _folder.Combine("calls");

    /// <summary>A program that was there before: <paramref name="script"/>, or one that is merely there.</summary>
    public void Write(string program, string script = "") => WriteFile(Program(program), script);

    public void WriteCompiler()
    {
        Write("gcc");
        Write("make");
    }

    /// <summary>Puts the stand-in of the SDK into the home folder, as Microsoft's script does.</summary>
    public void BringHomeSdk()
    {
        Directory.CreateDirectory(Path.Combine(Home, ".dotnet"));
        File.Copy(_folder.Combine("dotnet"), Path.Combine(Home, ".dotnet/dotnet"));
    }

    /// <summary>Types a script in the checkout; nobody is there to answer.</summary>
    public Task<(int ExitCode, string Said)> TypeAsync(string script) => RunAsync(["-euo", "pipefail", "-c", script]);

    /// <summary>Types a command at a terminal, and then the answers to what it asks.</summary>
    public Task<(int ExitCode, string Said)> TypeAtTerminalAsync(string command, params string[] answers) =>
        RunAsync(["-euo", "pipefail", "-c", "printf '%s\\n' \"${@:2}\" | script --quiet --return --command \"$1\" /dev/null", "bash", command, .. answers]);

    public void Dispose() => _folder.Dispose();

    private async Task<(int ExitCode, string Said)> RunAsync(string[] arguments)
    {
        // Nothing of this machine's own settings: env -i.
        await using var shell = ChildProcess.Start(
            PathOf("env"),
            [
                "-i", $"PATH={_folder.Combine("bin")}", $"HOME={Home}", $"MACHINE={_folder.Path}", $"CALLS={CallsFile}", $"SHELL={Program("bash")}",
                "bash", .. arguments,
            ],
            _folder.Combine("checkout"),
            new Dictionary<string, string?>());
        int exitCode = await shell.Exited.WaitAsync(EndWithin);
        return (exitCode, shell.Output.ToString());
    }

    // The scripts as they are, in a checkout without sources.
    private void CopyScripts()
    {
        string checkout = _folder.Combine("checkout");
        foreach (string folder in (string[])["eng/lib", "workers", "protos", "sandbox-native"]) Directory.CreateDirectory(Path.Combine(checkout, folder));
        foreach (string file in (string[])["eng/up", "eng/build", "eng/lib/install.sh", "Directory.Build.props"])
            File.Copy(Path.Combine(BuiltPrograms.RepositoryRoot, file), Path.Combine(checkout, file));
    }

    private string Program(string name) => Path.Combine(_folder.Combine("bin"), name);

    private static void WriteFile(string path, string script)
    {
        File.WriteAllText(path, $"#!{PathOf("bash")}\n{script}\n");
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    private static string PathOf(string tool) =>
        Environment.GetEnvironmentVariable("PATH")!.Split(':').Select(folder => Path.Combine(folder, tool)).First(File.Exists);
}
