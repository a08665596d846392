using NUnit.Framework;

namespace RemoteExec.Tidy;

/// <summary>What the project's style rules out is not there.</summary>
public sealed class SourceBanTests
{
    private const int LinesMax = 600;

    private static IEnumerable<string> Files => SourceTree.Files;

    [Test]
    public void No_source_contains_what_is_banned() =>
        AssertNone(Files.SelectMany(path => SourceBans.Violations(path, Repository.Read(path))));

    [Test]
    public void A_source_can_be_read_in_one_sitting()
    {
        var tooLong =
            from path in Files
            where path.EndsWith(".cs", StringComparison.Ordinal) || path.EndsWith(".c", StringComparison.Ordinal)
            let lines = Repository.Read(path).AsSpan().Count('\n')
            where lines > LinesMax
            select $"{path} has {lines} lines, at most {LinesMax}. Instead: give each idea a file of its own";

        AssertNone(tooLong);
    }

    [Test]
    public void A_source_has_one_public_type() =>
        AssertNone(
            Files.Where(path => path.EndsWith(".cs", StringComparison.Ordinal))
                .SelectMany(path => PublicTypes.Violations(path, Repository.Read(path))));

    [TestCase("async void", "private async void Start() { }")]
    [TestCase("unfinished code", "throw new NotImplementedException();")]
    [TestCase("marker of unfinished work", "// TODO: the other half")]
    [TestCase("marker of unfinished work", "Say(\"FIXME\");")]
    [TestCase("sleeping", "System.Threading.Thread.Sleep(1);")]
    [TestCase("swallowed exception", "try { A(); } catch { }")]
    [TestCase("swallowed exception", "try { A(); } catch (Exception) { /* who cares */ }")]
    [TestCase("unexplained empty handler", "try { A(); }\ncatch (IOException)\n{\n}")]
    [TestCase("unexplained empty handler", "try { A(); } catch (IOException e) when (e.HResult == 1) { }")]
    [TestCase("blocking on a task", "int n = CountAsync().GetAwaiter().GetResult();")]
    [TestCase("blocking on a task", "StopAsync().Wait();")]
    [TestCase("console in a library", "Console.Error.WriteLine(x);")]
    [TestCase("console in a library", "Say($\"{Console.In}\");")]
    [TestCase("test that cannot fail", "Assert.Pass();")]
    [TestCase("test that cannot fail", "if (!can) Assert.Ignore();")]
    [TestCase("test that cannot fail", "[Test, Explicit]\n[Ignore(\"later\")]")]
    [TestCase("ConfigureAwait", "await A().ConfigureAwait(false);")]
    [TestCase("region", "    #region Fields")]
    [TestCase("optional cancellation", "Task A(CancellationToken cancellationToken = default);")]
    [TestCase("class open for inheritance", "internal class Store\n{")]
    [TestCase("namespace block", "namespace RemoteExec.Core\n{")]
    [TestCase("path of somebody's machine", "File.ReadAllText(\"/root/secret\");")]
    [TestCase("path of somebody's machine", "// as in /home/jo/notes")]
    public void An_offending_snippet_is_found_with_its_line_and_its_replacement(string ban, string snippet)
    {
        string instead = SourceBans.All.Single(candidate => candidate.Name == ban).Instead;

        var violations = SourceBans.Violations("src/RemoteExec.Storage/Room.cs", "\n" + snippet).ToArray();

        Assert.That(violations, Has.Some.Contains($": {ban} ("));
        Assert.That(violations, Has.Some.EndsWith($"Instead: {instead}"));
        Assert.That(violations, Has.All.StartsWith("src/RemoteExec.Storage/Room.cs:"));
    }

    [TestCase("unbounded C string", "strcpy (name, argument);")]
    [TestCase("shell from C", "system (\"mount\");")]
    [TestCase("marker of unfinished work", "/* FIXME */")]
    public void An_offending_snippet_of_C_is_found(string ban, string snippet) =>
        Assert.That(SourceBans.Violations("sandbox-native/linux/root.c", snippet), Has.Some.Contains($": {ban} ("));

    [TestCase("// an async void would be lost here")]
    [TestCase("Say(\"Console.WriteLine\");")]
    [TestCase("Say(@\"a \"\"Console.Out\"\" b\");")]
    [TestCase("Say($\"{{Console.Out}} {name[\"Console.Out\"]} Console.Out\");")]
    [TestCase("Say(\"\"\"\nConsole.Out \" \"\"\n\"\"\");")]
    [TestCase("Say($$\"\"\"{{name}} {Console.Out}\"\"\");")]
    [TestCase("char quote = '\"'; char tick = '\\''; // Console.Out")]
    [TestCase("/* Thread.Sleep\n Thread.Sleep */ @class = 1;")]
    [TestCase("try { A(); } catch (OperationCanceledException) { /* the caller went away: nothing to tell */ }")]
    [TestCase("public override Task A(CancellationToken cancellationToken = default) => B(cancellationToken);")]
    [TestCase("internal sealed class Store\n{")]
    [TestCase("await loop.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);")]
    [TestCase("return response.Result.Wait(cancellationToken);")]
    [TestCase("var mount = \"/proc/work/x\";")]
    public void What_only_looks_like_an_offence_is_left_alone(string snippet) =>
        Assert.That(SourceBans.Violations("src/RemoteExec.Storage/Room.cs", snippet), Is.Empty);

    [Test]
    public void A_host_may_use_the_console() =>
        Assert.That(SourceBans.Violations("src/RemoteExec.Cli/Program.cs", "Console.Out.Flush();"), Is.Empty);

    [Test]
    public void The_line_of_an_offence_is_told() =>
        Assert.That(
            SourceBans.Violations("src/RemoteExec.Storage/Room.cs", "/* a\n b */\n\nThread.Sleep(1);").Single(),
            Does.StartWith("src/RemoteExec.Storage/Room.cs:4: sleeping ('Thread.Sleep')."));

    [Test]
    public void Two_public_types_in_a_file_are_found() =>
        Assert.That(
            PublicTypes.Violations(
                "src/RemoteExec.Storage/Room.cs",
                "public sealed class A\n{\n    public sealed class Inner;\n}\n\npublic readonly record struct B(int C);\n").Single(),
            Is.EqualTo("src/RemoteExec.Storage/Room.cs has the public types A, B. Instead: one file for each"));

    [Test]
    public void Nested_internal_and_generic_relatives_are_no_second_public_type()
    {
        const string Text = "public class A\n{\n    public enum Inner { }\n}\n\ninternal class B;\n\npublic class A<T>;\n";

        Assert.That(PublicTypes.Violations("src/RemoteExec.Storage/Room.cs", Text), Is.Empty);
    }

    private static void AssertNone(IEnumerable<string> violations)
    {
        string[] found = [.. violations];
        Assert.That(found, Is.Empty, () => string.Join('\n', found));
    }
}
