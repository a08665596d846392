using Build.Bazel.Remote.Execution.V2;
using Google.Protobuf;
using Grpc.Core;
using Microsoft.Win32.SafeHandles;
using NUnit.Framework;
using RemoteExec.Protocol;
using RemoteExec.Protocol.V1;
using RemoteExec.Storage;

namespace RemoteExec.Worker.Tests;

/// <summary>A worker between its own store, which is a cache, and the one that all share.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class WorkerStoreTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly FolderBlobStore _shared;

    public WorkerStoreTests() => _shared = new FolderBlobStore(_folder.Sub("shared"));

    public void Dispose() => _folder.Dispose();

    [Test]
    public async Task Inputs_that_are_together_larger_than_the_cache_fail_no_action()
    {
        var options = WorkerCache.Options(_folder.Sub("data"), sizeBytes: 2 << 20);
        await using var cache = await DiskBlobStore.OpenAsync(options, TimeProvider.System, default);
        await using var bench = new ActionBench { Local = cache, Remote = _shared };

        // All within the ten minutes for which a store that promises things would have kept them.
        for (int i = 0; i < 8; i++)
        {
            byte[] content = new byte[1 << 20];
            content[0] = (byte)i;
            var report = await bench.RunAsync(ScriptedSandbox.Exits(0), Lease(bench, content));
            Assert.That((StatusCode)report.Status.Code, Is.EqualTo(StatusCode.OK), report.Status.Message);
        }
    }

    [Test]
    public async Task An_input_that_was_evicted_before_it_was_linked_is_fetched_again()
    {
        var local = new ForgetfulStore(new FolderBlobStore(_folder.Sub("local")), evictions: 2);
        await using var bench = new ActionBench { Local = local, Remote = _shared };

        var report = await bench.RunAsync(
            ScriptedSandbox.Exits(0, root => Assert.That(File.ReadAllText(Path.Combine(root, "input")), Is.EqualTo("content"))),
            Lease(bench, "content"u8.ToArray()));

        Assert.That((StatusCode)report.Status.Code, Is.EqualTo(StatusCode.OK), report.Status.Message);
        Assert.That(local.Evictions, Is.Zero, "it was put to the test");
    }

    [Test]
    public async Task An_input_that_was_evicted_and_is_nowhere_by_now_is_missing()
    {
        var local = new ForgetfulStore(new FolderBlobStore(_folder.Sub("local")), evictions: 1) { Forgets = _shared.Remove };
        await using var bench = new ActionBench { Local = local, Remote = _shared };

        var report = await bench.RunAsync(ScriptedSandbox.Exits(0), Lease(bench, "content"u8.ToArray()));

        Assert.That(((StatusCode)report.Status.Code, report.Blame), Is.EqualTo((StatusCode.FailedPrecondition, Blame.Client)));
        Assert.That(report.Status.Details, Has.Count.EqualTo(1), "the client still has it, and uploads what it is told");
    }

    [Test]
    public async Task A_cache_that_is_too_small_for_one_action_blames_the_worker()
    {
        var local = new ForgetfulStore(new FolderBlobStore(_folder.Sub("local")), evictions: int.MaxValue);
        await using var bench = new ActionBench { Local = local, Remote = _shared };

        var report = await bench.RunAsync(ScriptedSandbox.Exits(0), Lease(bench, "content"u8.ToArray()));

        Assert.That(((StatusCode)report.Status.Code, report.Blame), Is.EqualTo((StatusCode.Unavailable, Blame.Worker)));
        Assert.That(report.Status.Message, Does.Contain("--cache-size"));
    }

    [TestCase(2)]
    [TestCase(int.MaxValue)]
    public async Task An_output_that_was_evicted_before_it_was_uploaded_is_imported_again_and_not_for_ever(int evictions)
    {
        var local = new HastyStore(new FolderBlobStore(_folder.Sub("local")), evictions);
        await using var bench = new ActionBench { Local = local, Remote = _shared };
        var sandbox = ScriptedSandbox.Exits(0, root => File.WriteAllText(Path.Combine(root, "out"), "made"));

        var report = await bench.RunAsync(sandbox, Lease(bench, "content"u8.ToArray()));

        bool fits = evictions < int.MaxValue;
        Assert.That(((StatusCode)report.Status.Code, report.Blame), Is.EqualTo(fits ? (StatusCode.OK, Blame.Unspecified) : (StatusCode.Unavailable, Blame.Worker)), report.Status.Message);
        Assert.That(_shared.Has(Digest.Of(DigestFunction.Sha256, "made"u8)), Is.EqualTo(fits));
        Assert.That(fits ? local.Evictions : 0, Is.Zero, "it was put to the test");
    }

    [Test]
    public async Task A_worker_whose_own_store_is_full_is_to_blame()
    {
        var local = new FullStore(new FolderBlobStore(_folder.Sub("local")));
        await using var bench = new ActionBench { Local = local, Remote = _shared };

        var report = await bench.RunAsync(ScriptedSandbox.Exits(0), Lease(bench, "content"u8.ToArray()));

        Assert.That(((StatusCode)report.Status.Code, report.Blame), Is.EqualTo((StatusCode.Unavailable, Blame.Worker)));
        Assert.That(report.Status.Message, Is.EqualTo("worker bench: no room"));
    }

    [Test]
    public async Task A_full_store_that_all_share_blames_no_worker()
    {
        await using var bench = new ActionBench { Local = new FullStore(_shared) };
        var sandbox = ScriptedSandbox.Exits(0, root => File.WriteAllText(Path.Combine(root, "out"), "made"));

        var report = await bench.RunAsync(sandbox, Lease(bench, "content"u8.ToArray()));

        Assert.That(((StatusCode)report.Status.Code, report.Blame), Is.EqualTo((StatusCode.ResourceExhausted, Blame.Store)));
    }

    [Test]
    public async Task A_result_that_is_larger_than_a_message_is_a_blob()
    {
        await using var bench = new ActionBench { Remote = _shared, Limits = new Limits { InlineResultBytesMax = 100 } };
        var sandbox = ScriptedSandbox.Exits(0, root => File.WriteAllText(Path.Combine(root, "out"), "made"));

        var report = await bench.RunAsync(sandbox, Lease(bench, "content"u8.ToArray()));

        Assert.That(report.ResultCase, Is.EqualTo(ReportRequest.ResultOneofCase.ResultDigest));
        Assert.That(Digest.TryParse(DigestFunction.Sha256, report.ResultDigest.Hash, report.ResultDigest.SizeBytes, out var digest, out _));
        var result = ActionResult.Parser.ParseFrom(await File.ReadAllBytesAsync(_shared.PathOf(digest)));
        Assert.That(result.OutputFiles.Single().Path, Is.EqualTo("out"));
        Assert.That(result.ExecutionMetadata.WorkerCompletedTimestamp, Is.Not.Null, "it is whole");
    }

    [Test]
    public async Task A_result_that_is_larger_than_any_is_the_fault_of_its_action()
    {
        await using var bench = new ActionBench { Limits = new Limits { ResultBytesMax = 100 } };
        var sandbox = ScriptedSandbox.Exits(0, root => File.WriteAllText(Path.Combine(root, "out"), "made"));

        var report = await bench.RunAsync(sandbox, bench.Lease(new WireCommand { Arguments = { "tool" }, OutputPaths = { "out" } }));

        Assert.That(((StatusCode)report.Status.Code, report.Blame), Is.EqualTo((StatusCode.ResourceExhausted, Blame.Action)));
        Assert.That(report.ResultCase, Is.EqualTo(ReportRequest.ResultOneofCase.None));
    }

    /// <summary>An action with one input; everything about it is in the shared store only.</summary>
    private Lease Lease(ActionBench bench, byte[] input)
    {
        var root = new WireDirectory { Files = { ActionBench.File("input", _shared.Put(DigestFunction.Sha256, input)) } };
        var command = new WireCommand { Arguments = { "tool" }, OutputPaths = { "out" } };
        var action = new WireAction { CommandDigest = Put(command), InputRootDigest = Put(root) };
        var lease = bench.Lease(command, root);
        lease.ActionDigest = Put(action);
        return lease;
    }

    private Build.Bazel.Remote.Execution.V2.Digest Put(IMessage message) => _shared.Put(DigestFunction.Sha256, message.ToByteArray()).ToWire();

    /// <summary>Refuses every upload of what it does not have.</summary>
    private sealed class FullStore(FolderBlobStore inner) : PassingStore(inner)
    {
        public override ValueTask<IBlobWriter> CreateWriterAsync(Digest digest, CancellationToken cancellationToken) => throw NoRoom();

        public override ValueTask<Digest> ImportFileAsync(DigestFunction function, SafeFileHandle file, CancellationToken cancellationToken) => throw NoRoom();

        private static RpcException NoRoom() => RpcErrors.Of(StatusCode.ResourceExhausted, "no room");
    }

    /// <summary>Loses the files of an input root just before they are linked, so many times.</summary>
    private sealed class ForgetfulStore(FolderBlobStore inner, int evictions) : PassingStore(inner)
    {
        public int Evictions { get; private set; } = evictions;

        /// <summary>Told of each blob that is lost.</summary>
        public Action<Digest> Forgets { get; init; } = _ => { };

        public override ValueTask<IReadOnlyList<Digest>> LinkManyAsync(IReadOnlyList<BlobLink> links, CancellationToken cancellationToken)
        {
            if (Evictions > 0)
            {
                Evictions--;
                foreach (var link in links)
                {
                    Inner.Remove(link.Digest);
                    Forgets(link.Digest);
                }
            }

            return base.LinkManyAsync(links, cancellationToken);
        }
    }

    /// <summary>Loses what an action made as soon as it is in, so many times.</summary>
    private sealed class HastyStore(FolderBlobStore inner, int evictions) : PassingStore(inner)
    {
        public int Evictions { get; private set; } = evictions;

        public override async ValueTask<Digest> ImportFileAsync(DigestFunction function, SafeFileHandle file, CancellationToken cancellationToken)
        {
            var digest = await base.ImportFileAsync(function, file, cancellationToken);
            if (Evictions > 0)
            {
                Evictions--;
                Inner.Remove(digest);
            }

            return digest;
        }
    }

    private abstract class PassingStore(FolderBlobStore inner) : ILocalBlobStore
    {
        protected FolderBlobStore Inner { get; } = inner;

        public ValueTask<IReadOnlyList<Digest>> FindMissingAsync(IReadOnlyList<Digest> digests, CancellationToken cancellationToken) =>
            Inner.FindMissingAsync(digests, cancellationToken);

        public ValueTask<IBlobReader?> OpenReadAsync(Digest digest, long offset, CancellationToken cancellationToken) =>
            Inner.OpenReadAsync(digest, offset, cancellationToken);

        public virtual ValueTask<IBlobWriter> CreateWriterAsync(Digest digest, CancellationToken cancellationToken) =>
            Inner.CreateWriterAsync(digest, cancellationToken);

        public virtual ValueTask<IReadOnlyList<Digest>> LinkManyAsync(IReadOnlyList<BlobLink> links, CancellationToken cancellationToken) =>
            Inner.LinkManyAsync(links, cancellationToken);

        public virtual ValueTask<Digest> ImportFileAsync(DigestFunction function, SafeFileHandle file, CancellationToken cancellationToken) =>
            Inner.ImportFileAsync(function, file, cancellationToken);

        public ValueTask<Digest> TakeFileAsync(DigestFunction function, SafeFileHandle file, CancellationToken cancellationToken) =>
            Inner.TakeFileAsync(function, file, cancellationToken);

        public void PutAside(Digest digest) => Inner.PutAside(digest);
    }
}
