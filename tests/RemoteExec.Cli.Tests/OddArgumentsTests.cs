namespace RemoteExec.Cli.Tests;

/// <summary>Whatever stands on the command line, a person reads a sentence and a script an exit code.</summary>
internal sealed class OddArgumentsTests : CliFixture
{
    private static readonly string[] Verbs = ["run", "put", "get", "cat", "ls", "action", "cancel", "status", "completion", "help", ""];

    private static readonly int[] Codes = [Done, CommandFailed, Usage, NotFound, Refused, Unavailable];

    // Not "/" and ".": these are folders, and would be stored.
    private static readonly string[] Words =
    [
        "", " ", "-", "--", "---", "-x", "-1", "--x", "--=", "--=x", "-=", "=", "@", "@x", "@/dev/null", "[x]", "[suggest]", "[diagram]", "[]", "[parse]",
        "\0", "a\0b", "/\0", "\n", "\r\n", "\t", "\e[31m", "\u202e", "\ud800", "\udfff", "\ufffd", "\ufeff", "é", "日本", "🙂", "\u0000\u0001",
        "/dev/null", "/dev/zero", "/dev/full", "/dev/stdin", "/proc/self/mem", "/proc/self/environ", "/absent/a/b", "/dev/null/x", "~", "~root", "$HOME", "`id`", "$(id)", ";", "|", "&", "'", "\"", "\\", "*", "?", "{}", "%s%n", "%00",
        "0", "1", "-0", "00", "1e9", "9223372036854775807", "9223372036854775808", "-9223372036854775809", "NaN", "Infinity", "null", "true", "false", "0x10", "١",
        "a/5", "/5", "5/", "a:5", ":5", "aaaaaa", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/5", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/-5", "blake3/a/5", "blake3/", "sha256:", "md5/d41d8cd98f00b204e9800998ecf8427e/0",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855/0", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855/1",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/5", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/9223372036854775807",
        "bytestream://", "bytestream://h/blobs/", "bytestream://h/blobs/a/b", "grpc://", "grpc://h:1", "http://", "http://[", "http://h:1/action/x", "file:///etc/passwd", "urn:x",
        "--server", "--server=", "--server=x", "--server=grpc://", "--server=http://h:1", "--server=grpc://h:99999", "--server=grpc://[::1", "--server=://", "--instance", "--instance=", "--instance=a//b", "--instance=/", "--instance=blobs", "--instance=é",
        "--http", "--http=", "--http=x", "--http=ftp://h", "--http=http://", "--http=http://127.0.0.1:1", "--format", "--format=", "--format=xml", "--format=json", "--format=JSON", "--format=csv", "--format=jsonl", "--format=text", "--json", "--json=", "--json=maybe", "--json=false", "--jsn",
        "--help", "-h", "-?", "/h", "/?", "--version", "--version=1", "-v", "--verbose", "--yes", "help", "version", "run", "put", "statsu",
        "-i", "-i=", "-i=/absent", "-i/absent", "--input=/dev/null", "--input=", "-o", "-o=", "-o=/", "-o=..", "-o=a/../b", "-o=\0", "--into", "--into=", "--into=\0", "-p", "-p=", "-p=x", "-p==", "-p=a=b", "-e", "-e=", "-e==x", "-e=A=\0", "--env-file", "--env-file=/absent", "--env-file=/dev/null", "--env-file=/dev", "--env-file=\0",
        "--timeout", "--timeout=", "--timeout=0", "--timeout=-1s", "--timeout=1", "--timeout=1s", "--timeout=99999999999999999999d", "--timeout=1e9s", "--stdin", "--stdin=", "--stdin=-", "--stdin=none", "--stdin=/absent", "--stdin=/dev/null", "--stdin=\0", "--no-cache", "--no-cache=x", "--propagate-exit", "--propagate-exit=2",
        "--exclude", "--exclude=", "--exclude=*", "--exclude=[", "-R", "--recursive", "-x=y", "--raw", "--executable",
    ];

    [Test]
    public void There_are_enough_of_them() => Assert.That(Words.Distinct().Count(), Is.GreaterThanOrEqualTo(200));

    [Test]
    public async Task No_argument_ends_in_anything_but_a_sentence_and_a_documented_code([ValueSource(nameof(Verbs))] string verb)
    {
        string nowhere = Folder.Combine("nowhere/file");
        foreach (string word in Words)
        {
            await CheckAsync(verb, word);
            // In the place of a second argument, too, and after one that is right.
            await CheckAsync(verb, $"{new string('b', 64)}/5", word);
            await CheckAsync(verb, word, nowhere);
        }
    }

    private async Task CheckAsync(params string[] words)
    {
        string[] arguments = [.. words.SkipWhile(word => word.Length == 0)];
        var answer = await RunAsync(arguments);

        string line = string.Join(' ', arguments.Select(word => $"'{word}'"));
        Assert.That(Codes, Does.Contain(answer.ExitCode), () => $"{line}: {answer}");
        Assert.That(answer.ExitCode == Done || answer.Error.Length > 0, () => $"{line}: {answer}");
        Assert.That(answer.Error, Does.Not.Contain("nobody foresaw").And.Not.Contain("   at "), () => line);
        Assert.That(answer.Error.Contains('\e', StringComparison.Ordinal), Is.False, () => line);
    }
}
