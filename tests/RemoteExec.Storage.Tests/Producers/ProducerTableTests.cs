using NUnit.Framework;
using RemoteExec.Core;

namespace RemoteExec.Storage.Tests;

public sealed class ProducerTableTests
{
    private static readonly InstanceName Here = InstanceName.TryParse("here", out var here, out _) ? here : default;
    private static readonly InstanceName There = InstanceName.TryParse("there", out var there, out _) ? there : default;

    private Scratch _scratch = null!;

    private string Folder => _scratch.Sub("producers");

    [SetUp]
    public void CreateScratch() => _scratch = new Scratch();

    [TearDown]
    public void DeleteScratch() => _scratch.Dispose();

    [TestCase(DigestFunction.Sha256)]
    [TestCase(DigestFunction.Blake3)]
    [TestCase(DigestFunction.Sha512)]
    public void What_was_learnt_is_known_also_after_a_restart(DigestFunction function)
    {
        using (var table = Open())
        {
            table.Learn(Here, Action(1, function), [Output(1, function), Output(2, function)]);
            Assert.That(table.Find(Here, Output(2, function)), Is.EqualTo(Action(1, function)));
        }

        using var again = Open();
        Assert.That(again.Find(Here, Output(1, function)), Is.EqualTo(Action(1, function)));
        Assert.That(again.Find(Here, Output(3, function)), Is.Null);
    }

    [Test]
    public void One_instance_knows_nothing_of_what_another_has_made()
    {
        using var table = Open();
        table.Learn(Here, Action(1), [Output(1)]);

        Assert.That((table.Find(There, Output(1)), table.Find(default, Output(1))), Is.EqualTo(((Digest?)null, (Digest?)null)));
    }

    [Test]
    public void A_digest_of_another_function_or_size_is_another_output()
    {
        using var table = Open();
        var output = Output(1);
        byte[] hash = new byte[32];
        output.CopyHashTo(hash);
        table.Learn(Here, Action(1), [output]);

        Assert.That(table.Find(Here, Digest.FromHash(DigestFunction.Blake3, hash, output.SizeBytes)), Is.Null);
        Assert.That(table.Find(Here, Digest.FromHash(DigestFunction.Sha256, hash, output.SizeBytes + 1)), Is.Null);
    }

    [Test]
    public void The_last_action_that_made_an_output_is_the_one_that_is_known()
    {
        using var table = Open();
        table.Learn(Here, Action(1), [Output(1), Output(2)]);
        table.Learn(Here, Action(2), [Output(1)]);

        Assert.That((table.Find(Here, Output(1)), table.Find(Here, Output(2))), Is.EqualTo(((Digest?)Action(2), (Digest?)Action(1))));
    }

    [Test]
    public void The_first_action_that_made_an_output_is_remembered_beside_the_last()
    {
        using (var table = Open())
        {
            table.Learn(Here, Action(1), [Output(1), Output(2)]);
            Assert.That(table.FindFirst(Here, Output(1)), Is.Null);
            for (int i = 2; i < 5; i++) table.Learn(Here, Action(i), [Output(1)]);
        }

        using var again = Open();
        Assert.That((again.FindFirst(Here, Output(1)), again.Find(Here, Output(1))), Is.EqualTo(((Digest?)Action(1), (Digest?)Action(4))));
        again.Forget(Here, Output(1));
        Assert.That((again.FindFirst(Here, Output(1)), again.Find(Here, Output(1))), Is.EqualTo(((Digest?)null, (Digest?)null)));
    }

    [Test]
    public void What_is_forgotten_stays_forgotten_until_it_is_made_again()
    {
        using (var table = Open())
        {
            table.Learn(Here, Action(1), [Output(1), Output(2)]);
            table.Forget(Here, Output(1));
            Assert.That(table.Find(Here, Output(1)), Is.Null);
        }

        using var again = Open();
        Assert.That((again.Find(Here, Output(1)), again.Find(Here, Output(2))), Is.EqualTo(((Digest?)null, (Digest?)Action(1))));
        again.Learn(Here, Action(1), [Output(1)]);
        Assert.That(again.Find(Here, Output(1)), Is.EqualTo(Action(1)));
    }

    [Test]
    public void The_empty_blob_needs_no_producer()
    {
        using var table = Open();
        table.Learn(Here, Action(1), [Digest.Empty(DigestFunction.Sha256)]);

        Assert.That((table.Count, table.Find(Here, Digest.Empty(DigestFunction.Sha256))), Is.EqualTo((0, (Digest?)null)));
    }

    [Test]
    public void A_full_table_forgets_what_was_made_and_wanted_the_longest_ago([Values] bool restarts)
    {
        var table = Open(entriesMax: 200);
        for (int i = 0; i < 1000; i++)
        {
            table.Learn(Here, Action(i), [Output(i)]);
            // Wanted again and again, it never gets old.
            Assert.That(table.Find(Here, Output(0)), Is.EqualTo(Action(0)), $"after {i}");
            Assert.That(table.Count, Is.LessThanOrEqualTo(200));
        }

        if (restarts)
        {
            table.Dispose();
            table = Open(entriesMax: 200);
        }

        using (table)
        {
            Assert.That(Enumerable.Range(920, 80).Select(i => table.Find(Here, Output(i))), Is.EqualTo(Enumerable.Range(920, 80).Select(i => (Digest?)Action(i))));
            Assert.That(Enumerable.Range(1, 700).Select(i => table.Find(Here, Output(i))), Is.All.Null);
        }
    }

    [Test]
    public void Neither_memory_nor_disk_grow_with_what_is_learnt_of_the_same_output()
    {
        using var table = Open(entriesMax: 200);
        for (int i = 0; i < 2000; i++) table.Learn(Here, Action(i), [Output(1)]);

        Assert.That(table.Count, Is.LessThanOrEqualTo(4));
        Assert.That(Directory.GetFiles(Folder), Has.Length.LessThanOrEqualTo(2));
        Assert.That(Directory.GetFiles(Folder).Sum(file => new FileInfo(file).Length), Is.LessThan(200 * 100));
        Assert.That(table.Find(Here, Output(1)), Is.EqualTo(Action(1999)));
    }

    [Test]
    public void The_same_result_again_is_not_written_again()
    {
        using var table = Open();
        table.Learn(Here, Action(1), [Output(1), Output(2)]);
        long written = new FileInfo(Directory.GetFiles(Folder).Single()).Length;
        table.Learn(Here, Action(1), [Output(2), Output(1)]);

        Assert.That(new FileInfo(Directory.GetFiles(Folder).Single()).Length, Is.EqualTo(written));
    }

    [Test]
    public void Of_one_result_with_very_many_outputs_some_are_remembered_and_others_results_stay()
    {
        using (var table = Open(entriesMax: 100_000))
        {
            table.Learn(Here, Action(1), [Output(0)]);
            table.Learn(Here, Action(2), Enumerable.Range(1, 200_000).Select(Output));
            Assert.That((table.Find(Here, Output(0)), table.Find(Here, Output(1)), table.Find(Here, Output(10_000))), Is.EqualTo(((Digest?)Action(1), (Digest?)Action(2), (Digest?)Action(2))));
            Assert.That(table.Count, Is.LessThan(50_000));
        }

        using var again = Open(entriesMax: 100_000);
        Assert.That(again.Find(Here, Output(10_000)), Is.EqualTo(Action(2)));
    }

    [Test]
    public void A_table_that_became_smaller_keeps_the_newest()
    {
        using (var table = Open(entriesMax: 1000))
            for (int i = 0; i < 400; i++) table.Learn(Here, Action(i), [Output(i)]);

        using var again = Open(entriesMax: 100);
        Assert.That(again.Count, Is.LessThanOrEqualTo(100));
        Assert.That(again.Find(Here, Output(399)), Is.EqualTo(Action(399)));
    }

    [Test]
    public void What_a_killed_process_left_behind_the_last_record_is_cut_and_the_table_goes_on()
    {
        using (var table = Open()) table.Learn(Here, Action(1), [Output(1)]);
        File.AppendAllText(Directory.GetFiles(Folder).Single(), "torn");
        using (var table = Open())
        {
            Assert.That(table.Find(Here, Output(1)), Is.EqualTo(Action(1)));
            table.Learn(Here, Action(2), [Output(2)]);
        }

        using var again = Open();
        Assert.That((again.Find(Here, Output(1)), again.Find(Here, Output(2))), Is.EqualTo(((Digest?)Action(1), (Digest?)Action(2))));
    }

    [Test]
    public void A_file_that_is_none_of_ours_is_left_out()
    {
        Directory.CreateDirectory(Folder);
        File.WriteAllText(Path.Combine(Folder, "1.log"), "something else altogether, and long enough to have a header");
        using (var table = Open()) table.Learn(Here, Action(1), [Output(1)]);

        using var again = Open();
        Assert.That(again.Find(Here, Output(1)), Is.EqualTo(Action(1)));
    }

    [Test]
    public void A_disk_that_refuses_costs_only_what_a_restart_would_know()
    {
        using var table = Open();
        Directory.Delete(Folder);
        table.Learn(Here, Action(1), [Output(1)]);

        Assert.That(table.Find(Here, Output(1)), Is.EqualTo(Action(1)));
    }

    [Test]
    public void A_directory_that_cannot_be_made_is_a_sentence_for_the_operator()
    {
        File.WriteAllText(Folder, "in the way");
        Assert.That(() => Open(), Throws.TypeOf<StorageDirectoryException>().With.Message.Contains(Folder));
    }

    [Test]
    public void An_altered_record_is_none_or_one_of_whole_keys()
    {
        const int seed = 20261201;
        byte[] frame = ProducerFormat.ToFrame(Action(1), [1, 2, 3]);
        var mutants = new Mutants(seed);
        for (int number = 0; number < 2000; number++)
        {
            byte[] body = mutants.Of(frame.AsSpan(ProducerFormat.Frames.HeadBytes));
            if (body.Length == 0 || !ProducerFormat.TryRead([.. frame[..ProducerFormat.Frames.HeadBytes], .. body], out var action, out var outputs)) continue;
            int actionBytes = action is { } known ? 1 + known.HashBytes + sizeof(long) : 1;
            if (actionBytes + (outputs.Length * ProducerKey.Bytes) != body.Length) Assert.Fail($"seed {seed}, number {number}");
        }
    }

    private static Digest Action(int number, DigestFunction function = DigestFunction.Sha256) => Digest.Of(function, Blobs.Of(-1 - number, 20));

    private static Digest Output(int number) => Output(number, DigestFunction.Sha256);

    private static Digest Output(int number, DigestFunction function) => Digest.Of(function, [.. BitConverter.GetBytes(number), 0]);

    private ProducerTable Open(int entriesMax = 1000) => ProducerTable.Open(new ProducerTableOptions { Directory = Folder, EntriesMax = entriesMax });
}
