using System.Diagnostics;
using System.Globalization;
using NUnit.Framework;

namespace RemoteExec.Core.Tests;

/// <summary>One call and pieces of any size must agree with the published values and with b3sum.</summary>
public sealed class Blake3Tests
{
    // Around the borders of blocks, chunks, of every number of lanes, and of what is hashed on several cores.
    private static readonly int[] Borders =
        [0, 64, 128, 1024, 2048, 3072, 4096, 5120, 8192, 9216, 16384, 17408, 32768, 65536, 262144, 263168, 524288, 1048576, 2097152, 3145728];

    private static IEnumerable<int> Lengths =>
        Borders.SelectMany(border => new[] { border - 1, border, border + 1 }).Where(length => length >= 0);

    // The hashes of BLAKE3's own test vectors (test_vectors.json): byte i of the input is i modulo 251.
    [TestCase(0, "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262")]
    [TestCase(1, "2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213")]
    [TestCase(2, "7b7015bb92cf0b318037702a6cdd81dee41224f734684c2c122cd6359cb1ee63")]
    [TestCase(3, "e1be4d7a8ab5560aa4199eea339849ba8e293d55ca0a81006726d184519e647f")]
    [TestCase(4, "f30f5ab28fe047904037f77b6da4fea1e27241c5d132638d8bedce9d40494f32")]
    [TestCase(5, "b40b44dfd97e7a84a996a91af8b85188c66c126940ba7aad2e7ae6b385402aa2")]
    [TestCase(6, "06c4e8ffb6872fad96f9aaca5eee1553eb62aed0ad7198cef42e87f6a616c844")]
    [TestCase(7, "3f8770f387faad08faa9d8414e9f449ac68e6ff0417f673f602a646a891419fe")]
    [TestCase(8, "2351207d04fc16ade43ccab08600939c7c1fa70a5c0aaca76063d04c3228eaeb")]
    [TestCase(63, "e9bc37a594daad83be9470df7f7b3798297c3d834ce80ba85d6e207627b7db7b")]
    [TestCase(64, "4eed7141ea4a5cd4b788606bd23f46e212af9cacebacdc7d1f4c6dc7f2511b98")]
    [TestCase(65, "de1e5fa0be70df6d2be8fffd0e99ceaa8eb6e8c93a63f2d8d1c30ecb6b263dee")]
    [TestCase(127, "d81293fda863f008c09e92fc382a81f5a0b4a1251cba1634016a0f86a6bd640d")]
    [TestCase(128, "f17e570564b26578c33bb7f44643f539624b05df1a76c81f30acd548c44b45ef")]
    [TestCase(129, "683aaae9f3c5ba37eaaf072aed0f9e30bac0865137bae68b1fde4ca2aebdcb12")]
    [TestCase(1023, "10108970eeda3eb932baac1428c7a2163b0e924c9a9e25b35bba72b28f70bd11")]
    [TestCase(1024, "42214739f095a406f3fc83deb889744ac00df831c10daa55189b5d121c855af7")]
    [TestCase(1025, "d00278ae47eb27b34faecf67b4fe263f82d5412916c1ffd97c8cb7fb814b8444")]
    [TestCase(2048, "e776b6028c7cd22a4d0ba182a8bf62205d2ef576467e838ed6f2529b85fba24a")]
    [TestCase(2049, "5f4d72f40d7a5f82b15ca2b2e44b1de3c2ef86c426c95c1af0b6879522563030")]
    [TestCase(3072, "b98cb0ff3623be03326b373de6b9095218513e64f1ee2edd2525c7ad1e5cffd2")]
    [TestCase(3073, "7124b49501012f81cc7f11ca069ec9226cecb8a2c850cfe644e327d22d3e1cd3")]
    [TestCase(4096, "015094013f57a5277b59d8475c0501042c0b642e531b0a1c8f58d2163229e969")]
    [TestCase(4097, "9b4052b38f1c5fc8b1f9ff7ac7b27cd242487b3d890d15c96a1c25b8aa0fb995")]
    [TestCase(5120, "9cadc15fed8b5d854562b26a9536d9707cadeda9b143978f319ab34230535833")]
    [TestCase(5121, "628bd2cb2004694adaab7bbd778a25df25c47b9d4155a55f8fbd79f2fe154cff")]
    [TestCase(6144, "3e2e5b74e048f3add6d21faab3f83aa44d3b2278afb83b80b3c35164ebeca205")]
    [TestCase(6145, "f1323a8631446cc50536a9f705ee5cb619424d46887f3c376c695b70e0f0507f")]
    [TestCase(7168, "61da957ec2499a95d6b8023e2b0e604ec7f6b50e80a9678b89d2628e99ada77a")]
    [TestCase(7169, "a003fc7a51754a9b3c7fae0367ab3d782dccf28855a03d435f8cfe74605e7817")]
    [TestCase(8192, "aae792484c8efe4f19e2ca7d371d8c467ffb10748d8a5a1ae579948f718a2a63")]
    [TestCase(8193, "bab6c09cb8ce8cf459261398d2e7aef35700bf488116ceb94a36d0f5f1b7bc3b")]
    [TestCase(16384, "f875d6646de28985646f34ee13be9a576fd515f76b5b0a26bb324735041ddde4")]
    [TestCase(31744, "62b6960e1a44bcc1eb1a611a8d6235b6b4b78f32e7abc4fb4c6cdcce94895c47")]
    [TestCase(102400, "bc3e3d41a1146b069abffad3c0d44860cf664390afce4d9661f7902e7943e085")]
    public void The_published_hash_is_computed(int length, string hash)
    {
        byte[] data = Pattern(length);

        Assert.That(Hash(data), Is.EqualTo(hash));
        Assert.That(HashInPieces(data, () => 100), Is.EqualTo(hash));
    }

    [Test]
    public void Every_length_agrees_with_b3sum()
    {
        foreach (int length in Lengths)
        {
            byte[] data = Pattern(length);
            string expected = B3Sum(data);
            Assert.That(Hash(data), Is.EqualTo(expected), $"{length} bytes");
            // One piece: from 2 MiB on it is hashed on several cores.
            Assert.That(HashInPieces(data, () => length), Is.EqualTo(expected), $"{length} bytes in a piece");
        }
    }

    [Test]
    public void Pieces_of_any_size_give_the_hash_of_the_whole()
    {
        byte[] data = Pattern(700_001);
        foreach (int length in Lengths.Where(length => length <= data.Length).Append(data.Length))
        {
            string expected = Hash(data.AsSpan(0, length));
            foreach (int piece in new[] { 63, 64, 1000, 1023, 1024, 1025, 3000, 65_536, 100_003 })
                Assert.That(HashInPieces(data.AsSpan(0, length), () => piece), Is.EqualTo(expected), $"{length} bytes by {piece}");
        }
    }

    [Test]
    public void Pieces_of_random_sizes_give_the_hash_of_the_whole()
    {
        int seed = Environment.TickCount;
        var random = new Random(seed);
        for (int run = 0; run < 200; run++)
        {
            byte[] data = Pattern(random.Next(300_000));
            int pieceMax = 1 << random.Next(1, 18);
            string inPieces = HashInPieces(data, () => random.Next(pieceMax + 1));
            Assert.That(inPieces, Is.EqualTo(Hash(data)), $"seed {seed}, run {run}");
        }
    }

    [Test]
    public void Large_pieces_between_small_ones_give_the_hash_of_the_whole()
    {
        // What is hashed on several cores begins at no border of its own.
        byte[] data = Pattern(9 << 20);
        var pieces = new Queue<int>([1, 2 << 20, 63, 3 << 20, 1024, (2 << 20) + 1]);

        Assert.That(HashInPieces(data, () => pieces.TryDequeue(out int piece) ? piece : data.Length), Is.EqualTo(Hash(data)));
    }

    [Test]
    public void A_blake3_digest_names_its_function()
    {
        var digest = Digest.Of(DigestFunction.Blake3, "hello"u8);

        Assert.That(digest.ToString(), Is.EqualTo("blake3/ea8f163db38682925e4491c5e58d4bb3506ef8c14eb78a86e908c5624a67200f/5"));
        Assert.That(BlobResourceName.TryParseRead($"main/blobs/{digest}", unnamed: default, out var name, out _), Is.True);
        Assert.That(name.Digest, Is.EqualTo(digest));
    }

    private static byte[] Pattern(int length)
    {
        var data = new byte[length];
        for (int i = 0; i < length; i++) data[i] = (byte)(i % 251);
        return data;
    }

    private static string Hash(ReadOnlySpan<byte> data) => Digest.Of(DigestFunction.Blake3, data).Hash;

    private static string HashInPieces(ReadOnlySpan<byte> data, Func<int> nextPiece)
    {
        using var hasher = DigestHasher.Create(DigestFunction.Blake3, sizeBytes: 0);
        int length = data.Length;
        while (data.Length > 0)
        {
            int piece = Math.Min(nextPiece(), data.Length);
            hasher.Append(data[..piece]);
            data = data[piece..];
        }

        var digest = hasher.Finish();
        Assert.That(digest.SizeBytes, Is.EqualTo(length));
        return digest.Hash;
    }

    private static string B3Sum(byte[] data)
    {
        var start = new ProcessStartInfo("b3sum", "--no-names") { RedirectStandardInput = true, RedirectStandardOutput = true };
        Process process;
        try
        {
            process = Process.Start(start)!;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            throw new InvalidOperationException("b3sum is not installed: install the Debian package b3sum");
        }

        using (process)
        {
            process.StandardInput.BaseStream.Write(data);
            process.StandardInput.Close();
            string hash = process.StandardOutput.ReadToEnd().Trim();
            process.WaitForExit();
            Assert.That(process.ExitCode, Is.Zero, string.Create(CultureInfo.InvariantCulture, $"b3sum of {data.Length} bytes"));
            return hash;
        }
    }
}
