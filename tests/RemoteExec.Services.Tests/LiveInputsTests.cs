using Build.Bazel.Remote.Execution.V2;
using Google.LongRunning;
using Grpc.Core;
using NUnit.Framework;
using RemoteExec.Protocol;
using RemoteExec.Storage;
using Value = Build.Bazel.Remote.Execution.V2.ExecutionStage.Types.Value;

namespace RemoteExec.Services.Tests;

/// <summary>What waits for longer than the store promises anything still has its inputs.</summary>
internal sealed class LiveInputsTests : ExecutionFixture
{
    // The fixture's store keeps for two minutes longer; so no other timer is set for a time that is as long as a round.
    private static readonly TimeSpan Retention = TimeSpan.FromMinutes(238);
    private static readonly TimeSpan Round = LiveInputs.RoundOf(Retention);

    private LossyStore _lossy = null!;
    private int _fillers;

    protected override ServicesOptions FirstOptions => new() { Retention = Retention };

    protected override TimeSpan UnsatisfiableMax => TimeSpan.FromDays(30);

    protected override IBlobStore Served => _lossy = new LossyStore(Store);

    [Test] // DESIGN D4
    public async Task What_waits_for_three_times_the_retention_in_a_full_store_still_has_all_its_inputs_and_runs()
    {
        var (action, inputs) = await StoreActionAsync();
        using var call = Execute(action);
        Assert.That(StageOf(await NextAsync(call)), Is.EqualTo(Value.Queued));
        var end = LastAsync(call); // who does not read is not told

        int refused = 0;
        for (var passed = TimeSpan.Zero; passed < 3 * Retention; passed += Round)
        {
            await PassRoundAsync();
            refused += await PressAsync();
        }

        Assert.That(refused, Is.GreaterThan(0), "the store was full of promises at times");
        Assert.That(Store.Usage.EvictedBytes, Is.GreaterThan(0), "and made room at others");
        Assert.That(inputs.Where(input => !Store.Holds(input)), Is.Empty);
        using var worker = await JoinAsync();
        await worker.FinishAsync(await worker.ReceiveLeaseAsync(), new ActionResult());
        Assert.That(ResponseOf(await end).Status.Code, Is.Zero);
    }

    [Test]
    public async Task Inputs_of_what_was_cancelled_are_promised_no_longer()
    {
        var (action, inputs) = await StoreActionAsync();
        using var call = Execute(action);
        string name = (await NextAsync(call)).Name;
        var end = LastAsync(call);
        for (var passed = TimeSpan.Zero; passed < 2 * Retention; passed += Round)
        {
            await PassRoundAsync();
            await PressAsync();
        }

        Assert.That(inputs.Where(input => !Store.Holds(input)), Is.Empty);
        await Operations.CancelOperationAsync(new CancelOperationRequest { Name = name });
        await end;

        for (var passed = TimeSpan.Zero; passed <= Retention; passed += Round) await PassRoundAsync();
        await Store.WriteAllAsync(DigestFunction.Sha256, new byte[64 << 20], Soon);
        Assert.That(inputs.Where(Store.Holds), Is.Empty);
    }

    [Test]
    public async Task An_input_that_is_gone_is_left_to_the_worker_and_the_others_are_kept()
    {
        var (action, inputs) = await StoreActionAsync();
        using var call = Execute(action);
        await NextAsync(call);
        var end = LastAsync(call);
        _lossy.Lose(inputs[0]);

        for (var passed = TimeSpan.Zero; passed < 2 * Retention; passed += Round)
        {
            await PassRoundAsync();
            await PressAsync();
        }

        Assert.That(inputs.Skip(1).Where(input => !Store.Holds(input)), Is.Empty);
        Assert.That(end.IsCompleted, Is.False);
        using var worker = await JoinAsync();
        await worker.FinishAsync(await worker.ReceiveLeaseAsync(), new ActionResult());
        Assert.That(ResponseOf(await end).Status.Code, Is.Zero);
    }

    /// <summary>An action with an input root of three levels, and all blobs that it needs; a file comes first.</summary>
    private async Task<(Digest Action, IReadOnlyList<Digest> Inputs)> StoreActionAsync()
    {
        var (file, deep) = (await StoreAsync("file"), await StoreAsync("deep"));
        var leaf = await StoreAsync(new WireDirectory { Files = { new FileNode { Name = "d", Digest = deep.ToWire() } } });
        var middle = await StoreAsync(new WireDirectory { Directories = { new DirectoryNode { Name = "leaf", Digest = leaf.ToWire() } } });
        var root = await StoreAsync(new WireDirectory
        {
            Files = { new FileNode { Name = "f", Digest = file.ToWire() } },
            Directories = { new DirectoryNode { Name = "middle", Digest = middle.ToWire() } },
        });
        var command = await StoreAsync(new WireCommand { Arguments = { "true" } });
        var action = await StoreAsync(new WireAction { CommandDigest = command.ToWire(), InputRootDigest = root.ToWire() });
        return (action, [file, deep, leaf, middle, root, command, action]);
    }

    /// <summary>Until the next round is over: then the one after it is waited for.</summary>
    private async Task PassRoundAsync()
    {
        await Time.WaitForTimerAsync(Round);
        Time.Advance(Round);
        await Time.WaitForTimerAsync(Round);
    }

    /// <summary>What others bring, until there is no more room.</summary>
    private async Task<int> PressAsync()
    {
        byte[] data = new byte[7_000_000];
        BitConverter.TryWriteBytes(data, ++_fillers);
        try
        {
            await Store.WriteAllAsync(DigestFunction.Sha256, data, Soon);
            return 0;
        }
        catch (RpcException full) when (full.StatusCode == StatusCode.ResourceExhausted)
        {
            return 1;
        }
    }
}
