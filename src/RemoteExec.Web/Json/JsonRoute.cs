using System.Diagnostics.CodeAnalysis;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Grpc.Core;

namespace RemoteExec.Web;

/// <summary>One annotation of google.api.http, behind the instance name that any of them begins with.</summary>
/// <param name="HttpMethod">GET, PUT, POST or DELETE.</param>
/// <param name="Root">What the path begins with: <c>/v2/</c>.</param>
/// <param name="Template">What the path ends with: <c>blobs/{root_digest.hash}/{root_digest.size_bytes}:getTree</c>.</param>
/// <param name="InstanceField">Takes what stands in front of that.</param>
/// <param name="Body">The field that the body is; <c>*</c> for all of the message, null for none.</param>
/// <param name="Request">What is sent.</param>
/// <param name="Call">Answers one message.</param>
/// <param name="Stream">Or, where that is null, many.</param>
internal sealed record JsonRoute(
    string HttpMethod, string Root, string Template, string InstanceField, string? Body, MessageDescriptor Request,
    Func<IMessage, CallOptions, Task<IMessage>>? Call, Func<IMessage, CallOptions, IAsyncEnumerable<IMessage>>? Stream)
{
    /// <summary>Its answer may take as long as some origin elsewhere likes.</summary>
    public bool IsLong { get; init; }

    /// <summary>Whether a path is this one's; then with what stands in it for fields.</summary>
    /// <remarks>From its end: the instance name in front may have any number of parts, none included (REAPI N4).</remarks>
    public bool TryMatch(string path, [NotNullWhen(true)] out List<(string Field, string Text)>? fields)
    {
        fields = null;
        if (!path.StartsWith(Root, StringComparison.Ordinal)) return false;

        var (wanted, wantedVerb) = Split(Template);
        var (parts, verb) = Split(path[Root.Length..]);
        if (verb != wantedVerb || parts.Length < wanted.Length) return false;

        var found = new List<(string, string)>();
        int first = parts.Length - wanted.Length;
        for (int i = 0; i < wanted.Length; i++)
        {
            string part = parts[first + i];
            if (wanted[i] is ['{', .. var field, '}']) found.Add((field, part));
            else if (wanted[i] != part) return false;
        }

        // The name of an operation is all of the path. `/v2//actions:execute` is the empty instance, too.
        fields = InstanceField == "name" ? [(InstanceField, string.Join('/', parts))] : [.. found, (InstanceField, string.Join('/', parts[..first]))];
        return true;
    }

    // A verb is behind the last colon of the last part.
    private static (string[] Parts, string Verb) Split(string path)
    {
        int colon = path.LastIndexOf(':');
        return colon > path.LastIndexOf('/') ? (path[..colon].Split('/'), path[(colon + 1)..]) : (path.Split('/'), "");
    }
}
