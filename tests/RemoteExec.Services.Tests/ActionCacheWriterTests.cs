using Build.Bazel.Remote.Execution.V2;
using Google.Protobuf;
using NUnit.Framework;
using RemoteExec.Protocol;
using RemoteExec.Scheduling;
using RemoteExec.Storage;

namespace RemoteExec.Services.Tests;

internal sealed class ActionCacheWriterTests
{
    private static readonly Digest Action = Digest.Of(DigestFunction.Sha256, "an action"u8);

    private readonly MemoryBlobStore _store = new(limitBytes: 1 << 20, retention: TimeSpan.FromHours(1), new ManualTime());
    private MemoryActionCache _cache = null!;

    [SetUp]
    public void MakeCache() => _cache = new MemoryActionCache(limitBytes: 1 << 20);

    [Test]
    public async Task A_response_that_was_made_in_this_process_is_not_read_again()
    {
        var response = Response("said");
        await WriteAsync(new ExecutionOutcome { Code = OutcomeCode.Ok, IsCacheWorthy = true, Response = "no message"u8.ToArray(), Written = new ResponseMessage(new WrittenResponse(response, [])) });

        Assert.That(await StdoutAsync(), Is.EqualTo("said"));
    }

    [Test]
    public async Task A_response_of_which_only_the_bytes_are_left_is_read()
    {
        await WriteAsync(new ExecutionOutcome { Code = OutcomeCode.Ok, IsCacheWorthy = true, Response = Response("read").ToByteArray() });

        Assert.That(await StdoutAsync(), Is.EqualTo("read"));
    }

    [TestCase(true)]
    [TestCase(false)]
    public async Task The_message_does_not_live_as_long_as_the_outcome(bool isCacheWorthy)
    {
        var outcome = new ExecutionOutcome { Code = OutcomeCode.Ok, IsCacheWorthy = isCacheWorthy, Written = new ResponseMessage(new WrittenResponse(Response("x"), [])) };
        await WriteAsync(outcome);

        Assert.That(outcome.Written.Take(), Is.Null);
        Assert.That(await _cache.GetAsync(new ActionCacheKey(default, Action), default), isCacheWorthy ? Is.Not.Null : Is.Null);
    }

    private static ExecuteResponse Response(string stdout) => new() { Result = new ActionResult { StdoutRaw = ByteString.CopyFromUtf8(stdout) } };

    private async Task<string> StdoutAsync()
    {
        var result = await _cache.GetAsync(new ActionCacheKey(default, Action), default);
        var blob = await _store.ReadAllAsync(WireDigests.FromWire(result!.StdoutDigest, DigestFunction.Sha256, "stdout"), 100, default);
        return System.Text.Encoding.UTF8.GetString(blob!.Value.Span);
    }

    private ValueTask WriteAsync(ExecutionOutcome outcome)
    {
        var at = new ManualTime().GetUtcNow();
        var request = new ExecutionRequest { Instance = default, Action = Action, Timeout = TimeSpan.FromMinutes(1) };
        var completed = new CompletedExecution(default, request, outcome, Attempt: 1, "w", "default", at, at, at, at);
        return new ActionCacheWriter(_cache, _store, new ServicesOptions()).OnCompletedAsync(completed, default);
    }
}
