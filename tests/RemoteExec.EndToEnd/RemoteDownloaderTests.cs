using System.Formats.Tar;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using NUnit.Framework;

namespace RemoteExec.EndToEnd;

/// <summary>Bazel lets the server fetch what its repositories are made of (REAPI S1, S2).</summary>
public sealed class RemoteDownloaderTests
{
    private static readonly byte[] File = Encoding.UTF8.GetBytes("a file of the web\n");
    private static readonly byte[] Archive = Pack("folder/inner.txt", "from an archive\n");

    private HttpOriginServer _origin = null!;
    private ServerProcess _server = null!;
    private BazelWorkspace _workspace = null!;

    [OneTimeSetUp]
    public async Task StartAsync()
    {
        _origin = new HttpOriginServer();
        _origin.Serve("/file", File);
        _origin.Serve("/real.tar.gz", Archive);
        _origin.Redirect("/archive.tar.gz", "/real.tar.gz");
        _server = await ServerProcess.StartAsync(Lab.NewFolder("server"), "--fetch-allow", "127.0.0.1");
        _workspace = await BazelWorkspace.CreateAsync(Lab.NewFolder("fetching"), "--libs", "1", "--sources", "1", "--tests", "0");
        await System.IO.File.AppendAllTextAsync(Path.Combine(_workspace.Folder, "WORKSPACE"), $$"""

            load("@bazel_tools//tools/build_defs/repo:http.bzl", "http_archive", "http_file")
            http_file(name = "fetched_file", urls = ["{{_origin.UriOf("/gone")}}", "{{_origin.UriOf("/file")}}"], sha256 = "{{Hash(File)}}")
            http_archive(
                name = "fetched_archive",
                urls = ["{{_origin.UriOf("/archive.tar.gz")}}"],
                sha256 = "{{Hash(Archive)}}",
                canonical_id = "one",
                build_file_content = 'genrule(name = "both", srcs = ["folder/inner.txt", "@fetched_file//file"], outs = ["both.txt"], cmd = "cat $(SRCS) > $@")',
            )

            """);
    }

    [OneTimeTearDown]
    public async Task StopAsync()
    {
        await _server.StopAsync();
        await _server.DisposeAsync();
        await _origin.DisposeAsync();
    }

    [Test]
    public async Task Repositories_are_made_of_what_the_server_fetched_and_a_mirror_that_fails_later_is_not_noticed()
    {
        await BuildAsync();
        Assert.That(_origin.Requests, Has.Count.EqualTo(4).And.All.Contains("User-Agent: rexec"), "one that is gone, one file, and an archive behind a redirect");

        foreach (string path in new[] { "/file", "/archive.tar.gz", "/real.tar.gz" }) _origin.Refuse(path, 503);
        await BuildAsync();

        Assert.That(_origin.Requests, Has.Count.EqualTo(4));
    }

    /// <summary>By a Bazel that has never fetched anything.</summary>
    private async Task BuildAsync()
    {
        await using var bazel = new BazelClient(BazelVersion.V4, _workspace, Lab.NewFolder("bazel-fetching"));
        var result = await bazel.RunAsync(
            "build", "--config=remote", $"--remote_executor=grpc://{_server.GrpcAddress}", $"--experimental_remote_downloader=grpc://{_server.GrpcAddress}", "@fetched_archive//:both");

        result.ShouldExitWith(BazelResult.Success);
        string built = Path.Combine(await bazel.BinFolderAsync(), "external/fetched_archive/both.txt");
        Assert.That(await System.IO.File.ReadAllTextAsync(built), Is.EqualTo("from an archive\na file of the web\n"));
    }

    private static string Hash(byte[] content) => Convert.ToHexStringLower(SHA256.HashData(content));

    private static byte[] Pack(string name, string content)
    {
        using var bytes = new MemoryStream();
        using (var gzip = new GZipStream(bytes, CompressionLevel.Fastest, leaveOpen: true))
        using (var tar = new TarWriter(gzip))
            tar.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, name) { DataStream = new MemoryStream(Encoding.UTF8.GetBytes(content)) });
        return bytes.ToArray();
    }
}
