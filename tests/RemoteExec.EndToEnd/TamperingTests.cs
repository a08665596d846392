using System.Diagnostics;
using System.Text;
using NUnit.Framework;

namespace RemoteExec.EndToEnd;

/// <summary>
/// Whatever an action does to an input, the store keeps the bytes that it was given, and the next action with that input gets
/// them (TRUST 3, hard-link tampering). Inputs are links into the store where actions run as somebody else than the
/// store's owner; where they run as its owner, each gets copies.
/// </summary>
[TestFixture(Linked)]
[TestFixture(WithoutWalls)]
[TestFixture(Unprivileged)]
public sealed class TamperingTests(string configuration)
{
    private const string Linked = "linked";
    private const string WithoutWalls = "the server's user, without walls";
    private const string Unprivileged = "the server's user, not root";

    // A user that owns nothing.
    private const string Nobody = "65533";

    private static readonly TimeSpan SeenWithin = TimeSpan.FromSeconds(30);

    // What a link leads to: one of the two files that the store makes of a blob, or the one that it took from an action.
    private static readonly string[] s_kinds = ["data", "program", "output", "empty"];

    private readonly TemporaryFolder _folder = new();
    private ServerProcess? _server;
    private RawExecutor? _executor;
    private RawBlob _hostile;

    private static IEnumerable<TamperAttempt> Attempts => TamperAttempt.All;

    private RawExecutor Executor => _executor ?? throw new InvalidOperationException("the server was not started");

    private bool IsLinked => configuration == Linked;

    [OneTimeSetUp]
    public async Task StartServerAsync()
    {
        if (configuration != Unprivileged && !Environment.IsPrivilegedProcess)
            Assert.Ignore("only root can run actions as somebody else, and only to root it matters without walls");

        // The server may be somebody else, who has no other way to this folder.
        File.SetUnixFileMode(_folder.Path, (UnixFileMode)0b111_101_101);
        string data = Directory.CreateDirectory(_folder.Combine("data")).FullName;
        File.SetUnixFileMode(data, (UnixFileMode)0b111_111_111);

        string program = BuiltPrograms.Server;
        if (configuration == Unprivileged && Environment.IsPrivilegedProcess) program = await AsNobodyAsync(program);
        _server = await ServerProcess.StartProgramAsync(
            program, data, ["--slots", "2", .. configuration == WithoutWalls ? (string[])["--sandbox", "off"] : []]);
        _executor = new RawExecutor(_server.GrpcAddress);
        _hostile = await _executor.StoreAsync(HostileProgram.Bytes);
        await MakeOutputsAsync();
    }

    [OneTimeTearDown]
    public async Task StopServerAsync()
    {
        _executor?.Dispose();
        if (_server is not null)
        {
            await using var server = _server;
            await server.StopAsync();
            Assert.That(server.Log.ToString(), Does.Not.Contain("input_altered"));
        }
        _folder.Dispose();
    }

    [TestCaseSource(nameof(Attempts))]
    public async Task An_attempt_to_alter_an_input_reaches_neither_the_store_nor_the_next_action(object attempt)
    {
        var (how, answers) = (TamperAttempt)attempt;
        var contents = s_kinds.ToDictionary(kind => kind, kind => ContentOf(kind, (TamperAttempt)attempt));
        await Executor.StoreAllAsync(contents["data"], contents["program"]);

        bool isOutput = how.StartsWith("output", StringComparison.Ordinal);
        var tampering = await Executor.ExecuteAsync(new RawAction(
            "/bin/sh", "-c", "for kind in data program output empty; do cd $kind; printf \"$kind \"; ../hostile tamper \"$0\"; cd ..; done", how)
        {
            Inputs = [(HostileProgram.Name, _hostile, true), .. Targets(contents)],
            Outputs = isOutput ? [.. s_kinds.SelectMany(kind => (string[])[$"{kind}/out", $"{kind}/target"])] : [],
        });

        Assert.That((tampering.Status, tampering.ExitCode), Is.EqualTo((RawStatus.Ok, 0L)), tampering.ToString());
        string[] lines = tampering.Stdout.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.That(lines.Select(line => line.Split(' ')[0]), Is.EqualTo(s_kinds), tampering.ToString());
        foreach (string line in lines[..^1])
        {
            // One name in the store, one of the action's; a copy has but one, as has the file that is empty.
            string[] words = line.Split(' ');
            Assert.That(int.Parse(words[1]), IsLinked ? Is.GreaterThanOrEqualTo(2) : Is.EqualTo(1), tampering.ToString());
            if (IsLinked) Assert.That(answers, Does.Contain(words[2]), tampering.ToString());
        }

        foreach (byte[] content in contents.Values) await AssertStoredAsync(RawBlob.Of(content));
        var next = await Executor.ExecuteAsync(new RawAction("/bin/sh", "-c", "for kind in data program output empty; do sha256sum < $kind/target; stat -c '%a %Y' $kind/target; done")
        {
            Inputs = Targets(contents),
        });
        Assert.That((next.Status, next.ExitCode), Is.EqualTo((RawStatus.Ok, 0L)), next.ToString());
        string[] told = next.Stdout.Split((char[])[' ', '\n'], StringSplitOptions.RemoveEmptyEntries);
        for (int i = 0; i < s_kinds.Length; i++)
        {
            Assert.That((told[4 * i], told[4 * i + 2]), Is.EqualTo((RawBlob.Of(contents[s_kinds[i]]).Hash, s_kinds[i] == "program" ? "555" : "444")), next.ToString());
            Assert.That(long.Parse(told[4 * i + 3]), Is.GreaterThan(1_000_000_000), "the time of its last change");
        }
    }

    [Test]
    public async Task Only_a_copy_is_the_actions_own()
    {
        var target = await Executor.StoreAsync("to be written to"u8.ToArray());

        var tampering = await Executor.ExecuteAsync(With(target, false, "./" + HostileProgram.Name, "tamper", "chmod, then write"));

        // What is the same attempt reaches its aim where there is less to protect: so it is one.
        Assert.That(tampering.Stdout, Is.EqualTo(IsLinked ? "2 EPERM\n" : "1 ok\n"), tampering.ToString());
        await AssertIntactAsync(target);
    }

    [Test]
    public async Task A_file_that_an_action_closed_to_others_is_open_to_the_next()
    {
        byte[] content = "closed\n"u8.ToArray();
        var closing = await Executor.ExecuteAsync(new RawAction("/bin/sh", "-c", "echo closed > out && ./hostile list out 0 && chmod 0 out")
        {
            Inputs = [(HostileProgram.Name, _hostile, true)],
            Outputs = ["out"],
        });
        if (closing.Stdout == "EOPNOTSUPP\n") Assert.Ignore("this file system has no access control lists");
        if (configuration == Unprivileged)
        {
            // The server is its owner and has no right beyond his: the action's fault, and told as such.
            Assert.That((closing.Status, closing.Message.Contains("permission", StringComparison.Ordinal)), Is.EqualTo((RawStatus.FailedPrecondition, true)), closing.ToString());
            return;
        }
        Assert.That(closing.Stdout, Is.EqualTo("ok\n"), closing.ToString());
        Assert.That(closing.Outputs["out"], Is.EqualTo(RawBlob.Of(content)), closing.ToString());
        await AssertIntactAsync(closing.Outputs["out"]);
        await AssertIntactAsync(closing.Outputs["out"], executable: true);
    }

    [Test]
    public async Task A_link_to_the_store_is_no_output()
    {
        string store = Path.Combine(_folder.Path, "data", "cas");
        var linking = await Executor.ExecuteAsync(new RawAction("/bin/sh", "-c", $"rmdir out && ln -s {store} out") { Outputs = ["out/blobs", "out/lock"] });
        Assert.That((linking.Status, linking.Outputs.Count), Is.EqualTo((RawStatus.FailedPrecondition, 0)), linking.ToString());
        Assert.That(linking.Message, Does.Contain("symbolic link"));
        Assert.That(Directory.Exists(Path.Combine(store, "blobs", "0")));
    }

    [Test]
    public async Task A_locked_input_is_there_for_everybody_else()
    {
        var target = await Executor.StoreAsync("locked by somebody"u8.ToArray());
        var holding = Executor.ExecuteAsync(With(target, true, "./" + HostileProgram.Name, "hold"));
        int holder = 0;
        await Eventually.TrueAsync("an action holds the lock", SeenWithin, () =>
            HostileProgram.Running("hold") is [var found, ..] && Locks(holder = found));

        await AssertIntactAsync(target, executable: true);

        Process.GetProcessById(holder).Kill();
        Assert.That((await holding).ExitCode, Is.EqualTo(128 + 9));

        static bool Locks(int process) => File.ReadLines("/proc/locks").Any(line => line.Contains($" {process} ", StringComparison.Ordinal));
    }

    private static byte[] ContentOf(string kind, TamperAttempt attempt) =>
        kind == "empty" ? [] : Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat($"{kind} {TamperAttempt.All.IndexOf(attempt)}\n", 500)));

    private static List<(string, RawBlob, bool)> Targets(Dictionary<string, byte[]> contents) =>
        [.. contents.Select(content => ($"{content.Key}/target", RawBlob.Of(content.Value), content.Key == "program"))];

    private RawAction With(RawBlob target, bool executable, params string[] arguments) => new(arguments)
    {
        Inputs = [(HostileProgram.Name, _hostile, true), ("target", target, executable)],
    };

    /// <summary>No client uploads these: the store's files are those that the action wrote.</summary>
    private async Task MakeOutputsAsync()
    {
        var made = await Executor.ExecuteAsync(new RawAction(
            "/bin/sh", "-c", $"for i in $(seq 0 {TamperAttempt.All.Count - 1}); do yes \"output $i\" | head -n 500 > out/$i; done; chmod 777 out/*")
        {
            Outputs = [.. TamperAttempt.All.Select((_, i) => $"out/{i}")],
        });
        Assert.That((made.Status, made.ExitCode, made.Outputs.Count), Is.EqualTo((RawStatus.Ok, 0L, TamperAttempt.All.Count)), made.ToString());
    }

    private async Task AssertStoredAsync(RawBlob blob)
    {
        if (blob.SizeBytes == 0) return; // there by definition, and no file
        var (status, content) = await Executor.ReadAsync(blob);
        Assert.That((status, RawBlob.Of(content)), Is.EqualTo((RawStatus.Ok, blob)));
    }

    private async Task AssertIntactAsync(RawBlob target, bool executable = false)
    {
        await AssertStoredAsync(target);
        var next = await Executor.ExecuteAsync(With(target, executable, "/bin/sh", "-c", "sha256sum < target"));
        Assert.That((next.Status, next.Stdout.Split(' ')[0]), Is.EqualTo((RawStatus.Ok, target.Hash)), next.ToString());
    }

    /// <summary>A script that becomes the server under another user; ignores the fixture where that one may not read the build.</summary>
    private async Task<string> AsNobodyAsync(string program)
    {
        string[] asNobody = ["--reuid", Nobody, "--regid", Nobody, "--clear-groups", "--inh-caps=-all"];
        using var look = Process.Start("setpriv", [.. asNobody, "test", "-x", program, "-a", "-x", Path.Combine(BuiltPrograms.Runtime.Value, "dotnet")]);
        await look.WaitForExitAsync();
        if (look.ExitCode != 0) Assert.Ignore("another user may not read this build or its runtime");

        string script = _folder.Combine("as-nobody");
        await File.WriteAllTextAsync(script, $"#!/bin/sh\nexport HOME={_folder.Combine("data")}\nexec setpriv {string.Join(' ', asNobody)} {program} \"$@\"\n");
        File.SetUnixFileMode(script, (UnixFileMode)0b111_101_101);
        return script;
    }
}
