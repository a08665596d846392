using NUnit.Framework;
using RemoteExec.Core;

namespace RemoteExec.Storage.Tests;

public sealed class BlobTableTests
{
    [Test]
    public void A_table_that_grows_and_shrinks_finds_everything_that_is_in_it()
    {
        const int blobs = 60_000; // several times as many buckets as it begins with, and more than one chunk of them
        var slots = new BlobSlots();
        var table = new BlobTable(slots);
        var numbers = new Dictionary<Digest, int>();
        for (int i = 0; i < blobs; i++)
        {
            var blob = new StoredBlob(DigestOf(i), default, BlobFileKinds.Executable);
            numbers[blob.Digest] = slots.Take(blob);
            table.Add(numbers[blob.Digest], blob.Digest);
        }

        for (int i = 0; i < blobs; i += 2)
        {
            table.Remove(numbers[DigestOf(i)], DigestOf(i));
            slots.GiveBack(numbers[DigestOf(i)]);
        }

        Assert.That(slots.Count, Is.EqualTo(blobs / 2));
        int[] found = new int[BlobTable.TogetherMax];
        var asked = new Digest[BlobTable.TogetherMax];
        for (int start = 0; start < blobs; start += asked.Length)
        {
            for (int i = 0; i < asked.Length; i++) asked[i] = DigestOf(start + i);
            table.FindMany(asked, found);
            for (int i = 0; i < asked.Length; i++)
            {
                int expected = (start + i) % 2 == 0 ? BlobSlot.None : numbers[asked[i]];
                if (found[i] != expected || table.Find(asked[i]) != expected) Assert.Fail($"number {start + i}");
            }
        }
    }

    [Test]
    public void Slots_are_used_again_and_hold_what_does_not_fit_into_them_elsewhere()
    {
        var slots = new BlobSlots();
        StoredBlob[] blobs =
        [
            new(Digest.Of(DigestFunction.Sha512, "a"u8), new BlobPlace(1, 0), BlobFileKinds.None),
            new(Digest.FromHash(DigestFunction.Sha256, new byte[32], long.MaxValue), default, BlobFileKinds.Data),
            new(Digest.FromHash(DigestFunction.Md5, new byte[16], 1 << 20), new BlobPlace(3, 5), BlobFileKinds.None),
            new(Digest.FromHash(DigestFunction.Sha1, new byte[20], 9), new BlobPlace(int.MaxValue, int.MaxValue), BlobFileKinds.Executable | BlobFileKinds.Data),
            new(Digest.FromHash(DigestFunction.Blake3, new byte[32], (1 << 20) - 1), new BlobPlace((1 << 24) - 1, (1 << 28) - 1), BlobFileKinds.Executable),
        ];
        for (int round = 0; round < 3; round++)
        {
            int[] numbers = [.. blobs.Select(blob => slots.Take(blob))];
            Assert.That(numbers.Select(slots.BlobOf), Is.EqualTo(blobs));
            Assert.That(numbers.Skip(2).Select(slots.AccountedBytesOf), Is.EqualTo(blobs.Skip(2).Select(blob => blob.AccountedBytes)));
            Assert.That(slots.End, Is.EqualTo(blobs.Length));
            slots.Put(numbers[3], blobs[3] with { Place = default });
            Assert.That(slots.BlobOf(numbers[3]).Place, Is.EqualTo(default(BlobPlace)));
            foreach (int number in numbers) slots.GiveBack(number);
        }
    }

    private static Digest DigestOf(int number) => Digest.Of(DigestFunction.Sha256, BitConverter.GetBytes(number));
}
