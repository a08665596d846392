using Build.Bazel.Remote.Execution.V2;
using Grpc.Core;
using RemoteExec.Client;
using RemoteExec.Protocol;
using RemoteExec.Storage;

namespace RemoteExec.Cli;

/// <summary>
/// The digest that somebody means. The protocol asks for blobs by hash and size; a hash without its size is looked for among the recent
/// actions of the server, their commands, inputs and results.
/// </summary>
internal sealed class DigestFinder(RemoteServer remote, IBlobStore blobs)
{
    public async Task<Digest> FindAsync(string text, CancellationToken cancellationToken)
    {
        var wanted = DigestText.Parse(text);
        if (wanted.Exact is { } exact) return exact;

        var recent = await RecentActionsAsync(text, cancellationToken);
        var found = await FoundAsync(wanted, recent, cancellationToken);
        return found.Count switch
        {
            1 => found.Single(),
            0 => throw new RpcException(new Status(
                StatusCode.NotFound, $"{text} begins no hash of the {recent.Count} recent actions, their inputs and results; write the whole digest, HASH/SIZE")),
            _ => throw new ClientException($"{text} begins {found.Count} hashes: {string.Join(", ", found.Take(5))}{(found.Count > 5 ? ", …" : "")}; write more of it"),
        };
    }

    private async Task<HashSet<Digest>> FoundAsync(DigestText wanted, IReadOnlyList<Digest> recent, CancellationToken cancellationToken)
    {
        // An action's own hash needs no further question.
        var found = recent.Where(action => IsMeant(action, wanted)).ToHashSet();
        if (found.Count > 0) return found;

        foreach (var digests in await Task.WhenAll(recent.Select(action => DigestsOfAsync(action, cancellationToken))))
            found.UnionWith(digests.Where(digest => IsMeant(digest, wanted)));
        return found;
    }

    private async Task<IReadOnlyList<Digest>> RecentActionsAsync(string text, CancellationToken cancellationToken)
    {
        try
        {
            return [.. (await new StatusPage(remote.Http).ReadAsync(cancellationToken)).ActionDigests.Distinct()];
        }
        catch (PageException unread)
        {
            throw new ClientException($"{text} has no size, and the recent actions cannot be looked through: {unread.Message}. Write HASH/SIZE", unread);
        }
    }

    private async Task<IEnumerable<Digest>> DigestsOfAsync(Digest action, CancellationToken cancellationToken)
    {
        var story = await ActionStory.ReadAsync(remote, blobs, action, cancellationToken);
        var wire = new List<WireDigest?> { story.Action?.CommandDigest, story.Action?.InputRootDigest };
        if (story.Result is { } result)
        {
            wire.AddRange([result.StdoutDigest, result.StderrDigest]);
            wire.AddRange(result.OutputFiles.Select(file => file.Digest));
            wire.AddRange(result.OutputDirectories.Select(folder => folder.TreeDigest));
        }

        return wire.Where(digest => digest is not null)
            .Where(digest => WireDigests.TryFromWire(digest, action.Function, out _, out _))
            .Select(digest => WireDigests.FromWire(digest, action.Function, "a digest of an action"));
    }

    private static bool IsMeant(Digest digest, DigestText wanted) => digest.Hash.StartsWith(wanted.Hash, StringComparison.Ordinal);
}
