using System.Text.RegularExpressions;

namespace RemoteExec.Tidy;

/// <summary>
/// What our sources do not contain, where no analyser can tell. What one can tell, because it knows types, is in
/// BannedSymbols.txt at the root: blocking on tasks, the machine's clock, sleeping.
/// </summary>
internal static class SourceBans
{
    private static readonly string[] CSharp = [".cs"];
    private static readonly string[] C = [".c", ".h"];
    private static readonly string[] Everything = [".cs", ".c", ".h", ".csproj", ".proto", ".md", ".sh", ".py", ".json"];

    // Their output is their business; a library logs or returns. Tests print seeds, and start copies of themselves that speak to them.
    private static readonly string[] Hosts = ["src/RemoteExec.Server/", "src/RemoteExec.Cli/", "src/RemoteExec.Hosting/", "workers/RemoteExec.Worker/", "tests/"];

    public static IReadOnlyList<SourceBan> All { get; } =
    [
        new("async void", new(@"\basync\s+void\b"), "return Task: nobody can await an async void or catch what it throws", CSharp),
        new("unfinished code", new(@"\bNotImplementedException\b"), "finish it before it is committed", CSharp),
        new("marker of unfinished work", new(@"\b(TODO|FIXME|XXX|HACK)\b"), "do it now, or open an issue", Everything, InText: true),
        new("sleeping", new(@"\bThread\s*\.\s*Sleep\b"), "await the event that you are waiting for", CSharp),
        // With a type, or with a comment that says why, an empty handler can be right; catching everything and dropping it cannot.
        new(
            "swallowed exception", new(@"\bcatch\s*(\(\s*(System\.)?Exception\b[^)]*\)\s*)?\{\s*\}"),
            "handle the error or let it travel", CSharp,
            // A timer interrupts a wait that may be over: Kestrel throws the stream's failure there, of any type, and the wait tells it.
            Except: ["src/RemoteExec.Rpc/Server/StallTimer.cs"]),
        new(
            "unexplained empty handler", new(@"\bcatch\s*\([^)]*\)\s*(when\s*\([^{]*\)\s*)?\{\s*\}"),
            "handle the error, let it travel, or say in a comment why nothing is to be done", CSharp, InText: true),
        new(
            "blocking on a task", new(@"\.\s*GetAwaiter\s*\(\s*\)\s*\.\s*GetResult\s*\(|\.\s*Wait\s*\(\s*\)"),
            "await it: a blocked thread starves the pool", CSharp,
            Except: ["tests/"]), // a test's gate holds a thread on purpose
        new("console in a library", new(@"\bConsole\s*\.\s*\w"), "log or return; only a host writes", CSharp, Except: Hosts),
        new(
            // A test may be skipped where the kernel lacks what it is about; then it says what is lacking.
            "test that cannot fail", new(@"\bAssert\s*\.\s*((Pass|Inconclusive)\b|Ignore\s*\(\s*\))|\bAssume\s*\.|\[\s*(Ignore|Explicit)\b"),
            "check something, or delete the test", CSharp),
        new("ConfigureAwait", new(@"\.\s*ConfigureAwait\s*\(\s*(true|false)\s*\)"), "leave it out: no room has a synchronisation context", CSharp),
        new("region", new(@"^\s*#\s*region\b", RegexOptions.Multiline), "split the file into rooms", CSharp),
        new(
            "optional cancellation", new(@"^(?!.*\boverride\b).*\bCancellationToken\s+\w+\s*=\s*default\b", RegexOptions.Multiline),
            "ask for the token: an optional one is forgotten", CSharp,
            Except: ["tests/"]), // a test rarely cancels
        new(
            "class open for inheritance",
            new(@"^\s*(public|internal|private|file)\s+((unsafe|partial|readonly)\s+)*class\s+(?<open>\w+)", RegexOptions.Multiline),
            "write sealed, static or abstract", CSharp),
        new("namespace block", new(@"^namespace\s+[\w.]+\s*\{", RegexOptions.Multiline), "write namespace X; at the top", CSharp),
        new(
            "path of somebody's machine", new(@"(?<![\w.*/])/(root|work|home/\w+)/\w"),
            "take the path from the environment, the repository's root or a temporary folder", Everything, InText: true,
            Except: ["sandbox-native/", "workers/RemoteExec.Worker/Sandbox/", "tests/RemoteExec.Worker.Tests/"]), // paths inside the sandbox
        new(
            "unbounded C string", new(@"\b(strcpy|strcat|sprintf|vsprintf|gets|alloca)\s*\("),
            "use snprintf or a counted copy, and check what it returns", C),
        new("shell from C", new(@"\b(system|popen)\s*\("), "use execve with an argument list", C),
    ];

    /// <summary>Every place where a text breaks a ban, as "path:line: ...".</summary>
    public static IEnumerable<string> Violations(string path, string text)
    {
        string code = path.EndsWith(".cs", StringComparison.Ordinal) ? CSharpText.CodeOf(text) : text;
        return
            from ban in All
            where ban.IsAbout(path)
            let searched = ban.InText ? text : code
            from Match match in ban.Pattern.Matches(searched)
            // Abstract words are for the parent; whether somebody inherits is known only by looking at everybody.
            where !match.Groups["open"].Success || !SourceTree.IsInherited(match.Groups["open"].Value)
            let line = searched.AsSpan(0, match.Index + match.Length).Count('\n') + 1
            select $"{path}:{line}: {ban.Name} ('{match.Value.Trim()}'). Instead: {ban.Instead}";
    }
}
