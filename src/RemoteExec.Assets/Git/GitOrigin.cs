using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Grpc.Core;
using RemoteExec.Core;
using RemoteExec.Protocol;

namespace RemoteExec.Assets;

/// <summary>
/// A commit of a git repository as a directory (REAPI S2, vcs.commit and vcs.branch): fetched by the machine's git, taken as the archive that git makes
/// of it, and unpacked like any other. Nothing is ever checked out.
/// </summary>
internal sealed class GitOrigin(AssetOptions options, string directory, Spool spool, ArchiveUnpacker archives)
{
    // Since 2.37 it connects where it is told to (http.curloptResolve); one before would ask a name server again.
    private static readonly Version VersionMin = new(2, 37);

    // An archive is the tree as it is: what a repository says of exports and conversions is left out of account.
    private const string Attributes = "* -export-ignore -export-subst -text -eol -ident -filter -working-tree-encoding\n";

    private readonly GuardedAddresses _addresses = new(new AddressGuard(options.Allowed), options.Resolve);

    /// <returns>The root Directory.</returns>
    public async ValueTask<Digest> FetchAsync(Uri uri, FetchQualifiers qualifiers, IEnumerable<FetchHeader> headers, DigestFunction function, CancellationToken cancellationToken)
    {
        string home = Path.Combine(directory, "git-" + Guid.NewGuid().ToString("N"));
        Directory.CreateDirectory(home);
        try
        {
            var git = new GitProgram(home, options.DownloadBytesMax);
            await CheckVersionAsync(git, cancellationToken);
            await PinAsync(git, uri, cancellationToken);
            foreach (var header in headers) git.Set("http.extraHeader", $"{header.Name}: {header.Value}");
            return await FetchAsync(git, home, uri, qualifiers, function, cancellationToken);
        }
        finally
        {
            Delete(home);
        }
    }

    private static void Delete(string home)
    {
        try
        {
            Directory.Delete(home, recursive: true);
        }
        catch (IOException busy)
        {
            // What git started may not have ended yet when it was killed. What stays goes at the next start, with the whole folder.
            Trace.TraceWarning($"{home} was not deleted: {busy.Message}");
        }
    }

    /// <summary>What is connected to is what was looked at.</summary>
    private async ValueTask PinAsync(GitProgram git, Uri uri, CancellationToken cancellationToken)
    {
        try
        {
            var address = (await _addresses.FindAsync(uri.IdnHost, cancellationToken))[0];
            string written = address.AddressFamily == AddressFamily.InterNetworkV6 ? $"[{address}]" : $"{address}";
            if (!IPAddress.TryParse(uri.IdnHost, out _)) git.Set("http.curloptResolve", $"{uri.IdnHost}:{uri.Port}:{written}");
        }
        catch (SocketException unknown)
        {
            throw RpcErrors.Of(StatusCode.NotFound, $"{uri.GetLeftPart(UriPartial.Path)}: there is no such host ({unknown.Message})");
        }
    }

    private static async ValueTask RunAsync(GitProgram git, Uri uri, string[] arguments, CancellationToken cancellationToken)
    {
        if (await git.RunAsync(arguments, output: null, cancellationToken) is { } words) throw Failed(uri, words);
    }

    private static RpcException Failed(Uri uri, string words)
    {
        var code = words.Contains("not found", StringComparison.Ordinal) || words.Contains("couldn't find remote ref", StringComparison.Ordinal) ? StatusCode.NotFound
            : words.Contains("could not read Username", StringComparison.Ordinal) || words.Contains("Authentication failed", StringComparison.Ordinal) ? StatusCode.PermissionDenied
            : StatusCode.Unavailable;
        return RpcErrors.Of(code, $"{uri.GetLeftPart(UriPartial.Path)}: git: {PrintableText.Escape(words, 256)}");
    }

    private async ValueTask CheckVersionAsync(GitProgram git, CancellationToken cancellationToken)
    {
        using var said = spool.Create();
        string? words = await git.RunAsync(["version"], said, cancellationToken);
        string text = "";
        if (words is null && said.LengthBytes > 0)
        {
            using var reader = new StreamReader(said.OpenRead());
            text = await reader.ReadToEndAsync(cancellationToken); // git version 2.39.5
        }

        string number = string.Join('.', text.Replace("git version ", "", StringComparison.Ordinal).Trim().Split('.').Take(2));
        if (!Version.TryParse(number, out var version) || version < VersionMin)
            throw RpcErrors.Of(StatusCode.FailedPrecondition, $"this server has no git of at least {VersionMin}");
    }

    private async ValueTask<Digest> FetchAsync(GitProgram git, string home, Uri uri, FetchQualifiers qualifiers, DigestFunction function, CancellationToken cancellationToken)
    {
        await RunAsync(git, uri, ["init", "--quiet", "--bare", "."], cancellationToken);
        Directory.CreateDirectory(Path.Combine(home, "info")); // a git without templates makes none
        await File.WriteAllTextAsync(Path.Combine(home, "info", "attributes"), Attributes, cancellationToken);

        string wanted = qualifiers.Commit ?? (qualifiers.Branch is { } branch ? $"refs/heads/{branch}" : "HEAD");
        string[] fetch = ["fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "--no-write-commit-graph"];
        if (await git.RunAsync([.. fetch, "--depth=1", uri.AbsoluteUri, wanted], output: null, cancellationToken) is not null)
        {
            // A server that gives no commit that is not a tip, or no part of the history: then all of it, up to the limit.
            string[] references = qualifiers.Commit is null ? [wanted] : ["+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*"];
            await RunAsync(git, uri, [.. fetch, uri.AbsoluteUri, .. references], cancellationToken);
        }

        using var archive = spool.Create();
        string tree = qualifiers.Commit is { } commit ? $"{commit}^{{commit}}" : "FETCH_HEAD";
        if (await git.RunAsync(["archive", "--format=tar", tree], archive, cancellationToken) is not null)
            throw RpcErrors.Of(StatusCode.NotFound, $"{uri.GetLeftPart(UriPartial.Path)}: has no {PrintableText.Escape(wanted, 128)}");
        return await archives.UnpackAsync(archive, function, qualifiers.Subdirectory, cancellationToken);
    }
}
