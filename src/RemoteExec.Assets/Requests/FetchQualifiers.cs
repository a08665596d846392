using System.Buffers;
using System.Text.Json;
using Build.Bazel.Remote.Asset.v1;
using Google.Rpc;
using Grpc.Core;
using RemoteExec.Core;
using RemoteExec.Protocol;

namespace RemoteExec.Assets;

/// <summary>What narrows down which content of a URI is meant, and how it is asked for (REAPI S2).</summary>
public sealed class FetchQualifiers
{
    private const string Checksum = "checksum.sri";
    private const string CanonicalId = "bazel.canonical_id";
    private const string AuthHeaders = "bazel.auth_headers";
    private const string ResourceTypeName = "resource_type";
    private const string DirectoryName = "directory";
    private const string CommitName = "vcs.commit";
    private const string BranchName = "vcs.branch";
    private const string GitType = "application/x-git";
    private const string HeaderPrefix = "http_header:";
    private const string UriHeaderPrefix = "http_header_url:";

    private const int CountMax = 128;
    private const int TextBytesMax = 64 << 10;

    private static readonly SearchValues<char> Hexadecimal = SearchValues.Create("0123456789abcdef");

    // A part of what git takes (git-check-ref-format(1)): nothing that it, or a shell, could read as something else.
    private static readonly SearchValues<char> InReference = SearchValues.Create("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._/-+#@");

    private readonly List<FetchHeader> _headers = [];

    private FetchQualifiers(IEnumerable<Qualifier> all) => All = [.. all.OrderBy(each => each.Name, StringComparer.Ordinal)];

    /// <summary>Null when any content is right.</summary>
    public Integrity? Integrity { get; private set; }

    /// <summary>The media type that the content has, whatever the origin says; "" when it is not told.</summary>
    public string ResourceType { get; private set; } = "";

    /// <summary>The folder in an archive that is wanted; "" for all of it.</summary>
    public string Subdirectory { get; private set; } = "";

    /// <summary>The whole name of a commit; null when none is asked for.</summary>
    public string? Commit { get; private set; }

    /// <summary>Whose newest commit is wanted, unless one is named.</summary>
    public string? Branch { get; private set; }

    /// <summary>Whether the address is that of a repository, and not of an archive.</summary>
    public bool IsGit => Commit is not null || Branch is not null || ResourceType == GitType;

    /// <summary>As they came, by name.</summary>
    internal IReadOnlyList<Qualifier> All { get; }

    /// <summary>Those that say which content it is. Headers only say how to get it, as long as a checksum tells what it has to be.</summary>
    internal IEnumerable<Qualifier> Naming => All.Where(each => Integrity is null || !IsHeader(each.Name));

    /// <exception cref="RpcException">INVALID_ARGUMENT, with a violation of <c>qualifiers.name</c> for each that is unknown (REAPI S1).</exception>
    public static FetchQualifiers Parse(IReadOnlyList<Qualifier> qualifiers, AssetKind kind, IReadOnlyList<Uri> uris)
    {
        if (qualifiers.Count > CountMax) throw RpcErrors.InvalidField("qualifiers", $"there are {qualifiers.Count} qualifiers, at most {CountMax} are taken");

        var names = new HashSet<string>(StringComparer.Ordinal);
        var unknown = new BadRequest();
        var parsed = new FetchQualifiers(qualifiers);
        foreach (var each in qualifiers)
        {
            if (!names.Add(each.Name)) throw RpcErrors.InvalidField("qualifiers.name", $"the qualifier {PrintableText.Quote(each.Name, 64)} stands twice");
            if (each.Name.Length + each.Value.Length > TextBytesMax)
                throw RpcErrors.InvalidField("qualifiers.value", $"the qualifier {PrintableText.Quote(each.Name, 64)} is longer than {TextBytesMax} characters");
            if (!parsed.TryTake(each, kind, uris))
                unknown.FieldViolations.Add(new BadRequest.Types.FieldViolation { Field = "qualifiers.name", Description = $"{PrintableText.Quote(each.Name, 64)} not supported" });
        }

        if (unknown.FieldViolations.Count == 0)
        {
            return parsed.IsGit && parsed.Integrity is not null
                ? throw RpcErrors.InvalidField("qualifiers.name", $"{Checksum} says nothing of a repository; {CommitName} does")
                : parsed;
        }

        while (unknown.CalculateSize() > TextBytesMax / 16) unknown.FieldViolations.RemoveAt(unknown.FieldViolations.Count - 1); // it travels in a trailer
        throw RpcErrors.Of(StatusCode.InvalidArgument, $"qualifiers: {unknown.FieldViolations[0].Description}", unknown);
    }

    /// <summary>What a request for one of the URIs is sent with.</summary>
    internal IEnumerable<FetchHeader> HeadersFor(int uri) => _headers.Where(header => header.Uri is null || header.Uri == uri);

    /// <summary>What goes back to who asked: never what may be a secret.</summary>
    public IEnumerable<Qualifier> Public => All.Where(each => !IsHeader(each.Name));

    private static bool IsReference(string name) =>
        name.Length is > 0 and < 256 && char.IsAsciiLetterOrDigit(name[0]) && !name.AsSpan().ContainsAnyExcept(InReference)
        && !name.Contains("..", StringComparison.Ordinal) && !name.Contains("//", StringComparison.Ordinal) && !name.Contains("@{", StringComparison.Ordinal)
        && name[^1] is not ('/' or '.');

    private static bool IsHeader(string name) =>
        name == AuthHeaders || name.StartsWith(HeaderPrefix, StringComparison.Ordinal) || name.StartsWith(UriHeaderPrefix, StringComparison.Ordinal);

    private bool TryTake(Qualifier qualifier, AssetKind kind, IReadOnlyList<Uri> uris)
    {
        switch (qualifier.Name)
        {
            case Checksum:
                Integrity = Integrity.Parse(qualifier.Value);
                return true;
            case CanonicalId: // part of the name, and nothing else
                return true;
            case ResourceTypeName:
                ResourceType = qualifier.Value;
                return true;
            case DirectoryName when kind == AssetKind.Directory:
                Subdirectory = qualifier.Value;
                return true;
            case CommitName when kind == AssetKind.Directory:
                Commit = qualifier.Value.Length is 40 or 64 && !qualifier.Value.AsSpan().ContainsAnyExcept(Hexadecimal) ? qualifier.Value
                    : throw RpcErrors.InvalidField("qualifiers.value", $"{CommitName}: {PrintableText.Quote(qualifier.Value, 64)} is not the whole name of a commit");
                return true;
            case BranchName when kind == AssetKind.Directory:
                Branch = IsReference(qualifier.Value) ? qualifier.Value
                    : throw RpcErrors.InvalidField("qualifiers.value", $"{BranchName}: {PrintableText.Quote(qualifier.Value, 64)} is not the name of a branch");
                return true;
            case AuthHeaders:
                AddAuthHeaders(qualifier.Value, uris);
                return true;
        }

        if (qualifier.Name.StartsWith(HeaderPrefix, StringComparison.Ordinal))
        {
            _headers.Add(FetchHeader.Parse(qualifier.Name[HeaderPrefix.Length..], qualifier.Value, uri: null));
            return true;
        }

        if (!qualifier.Name.StartsWith(UriHeaderPrefix, StringComparison.Ordinal)) return false;
        // http_header_url:N:NAME
        if (qualifier.Name[UriHeaderPrefix.Length..].Split(':', 2) is not [var number, var name]
            || !int.TryParse(number, System.Globalization.NumberStyles.None, null, out int uri) || uri >= uris.Count)
        {
            throw RpcErrors.InvalidField("qualifiers.name", $"{PrintableText.Quote(qualifier.Name, 64)}: write {UriHeaderPrefix}N:NAME, where N counts the uris from 0");
        }

        _headers.Add(FetchHeader.Parse(name, qualifier.Value, uri));
        return true;
    }

    /// <summary>As Bazel writes them: <c>{"https://host/file": {"Authorization": "Basic …"}}</c>.</summary>
    private void AddAuthHeaders(string json, IReadOnlyList<Uri> uris)
    {
        try
        {
            using var document = JsonDocument.Parse(json, new JsonDocumentOptions { MaxDepth = 4 });
            foreach (var source in document.RootElement.EnumerateObject())
            {
                if (!Uri.TryCreate(source.Name, UriKind.Absolute, out var uri)) continue;

                for (int i = 0; i < uris.Count; i++)
                {
                    if (uris[i] != uri) continue;
                    foreach (var header in source.Value.EnumerateObject())
                        _headers.Add(FetchHeader.Parse(header.Name, header.Value.GetString() ?? "", i));
                }
            }
        }
        catch (Exception broken) when (broken is JsonException or InvalidOperationException)
        {
            // Its text may quote the secret.
            throw RpcErrors.InvalidField("qualifiers.value", $"{AuthHeaders} is not a JSON object of URIs, each with an object of headers");
        }
    }
}
