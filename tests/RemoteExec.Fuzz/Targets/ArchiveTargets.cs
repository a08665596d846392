using System.IO.Compression;
using System.Text;
using RemoteExec.Assets;
using RemoteExec.Core;
using RemoteExec.Storage;

namespace RemoteExec.Fuzz;

/// <summary>Archives from an origin, unpacked into a store that keeps nothing.</summary>
internal static class ArchiveTargets
{
    private const int BytesMax = 1 << 20;

    // As `tar --format=pax` makes it: a folder, a file with an extended header, a link and a second name. .NET's own writer puts time and process into it, and what
    // a seed finds would not be found again.
    private const string TarGz =
        "1f8b0800000000000203ed963d0ac3300c4635e7143e41fc2b670a74ecd82b98c62143d29434011fbfa64b69081d0a3605eb2df2a6e1f17d56c7213922628d79cd"
        + "c87e1ebcadb4080c2103db63754b5c096552f39a9f2e2e9cbdebfc92ceff81f7b7732d3ffd4ba144032c90ffe448cdaef334f9dbda864a2a7677ebd076bcaf8028"
        + "81a83a4bff37885ffa1ff7fdafb5052628ffc919fc38ce148382f33ffee3fd87c200533de53f79fe33ecf8c1bf69e2fd27737c4e85fb2708a25c9effcd60d40012"
        + "0000";

    private static readonly DateTimeOffset Then = new(2000, 1, 1, 0, 0, 0, TimeSpan.Zero);

    public static IEnumerable<FuzzTarget> All =>
    [
        Of("tar", Gunzip(Convert.FromHexString(TarGz))),
        Of("tar-gz", Convert.FromHexString(TarGz)),
        Of("tar-zst", Zstd.Compress(Gunzip(Convert.FromHexString(TarGz)))),
        Of("zip", MakeZip()),
    ];

    private static FuzzTarget Of(string name, byte[] seed) => new(name, [seed], UnpackAsync);

    private static async ValueTask<string> UnpackAsync(byte[] bytes)
    {
        string folder = Directory.CreateTempSubdirectory("rexec-fuzz-").FullName;
        try
        {
            var spool = new Spool(Path.Combine(folder, "spool"), BytesMax, 4 * BytesMax);
            using var file = spool.Create();
            await file.AppendAsync(bytes, default);
            var root = await new ArchiveUnpacker(new NoStore(), spool, BytesMax, entriesMax: 1000, textMax: BytesMax).UnpackAsync(file, DigestFunction.Sha256, "", default);
            return root.IsEmpty ? "empty" : "tree";
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static byte[] Gunzip(byte[] packed)
    {
        using var gzip = new GZipStream(new MemoryStream(packed), CompressionMode.Decompress);
        using var plain = new MemoryStream();
        gzip.CopyTo(plain);
        return plain.ToArray();
    }

    private static byte[] MakeZip()
    {
        using var bytes = new MemoryStream();
        using (var zip = new ZipArchive(bytes, ZipArchiveMode.Create, leaveOpen: true))
        {
            foreach (string name in (string[])["d/", "d/f", "g"])
            {
                var entry = zip.CreateEntry(name);
                entry.LastWriteTime = Then;
                using var content = entry.Open();
                if (!name.EndsWith('/')) content.Write(Encoding.UTF8.GetBytes(new string('x', 300)));
            }
        }

        return bytes.ToArray();
    }
}
