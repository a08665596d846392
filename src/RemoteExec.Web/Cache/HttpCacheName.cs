using System.Buffers;
using RemoteExec.Core;

namespace RemoteExec.Web;

/// <summary>A path of the cache: <c>/{instance/}ac/HASH</c> or <c>/{instance/}cas/HASH</c>, as Bazel makes them of <c>--remote_cache=http://HOST:PORT/{instance}</c>.</summary>
internal readonly record struct HttpCacheName(InstanceName Instance, bool IsResult, DigestFunction Function, string Hash)
{
    private static readonly SearchValues<char> Hexadecimal = SearchValues.Create("0123456789abcdef");

    /// <summary>False for what is no such path at all, and somebody else's.</summary>
    /// <param name="unnamed">See <see cref="DigestFunctions.TryInfer"/>.</param>
    /// <param name="error">What is wrong with one that is.</param>
    public static bool TryParse(string path, DigestFunction unnamed, out HttpCacheName name, out string? error)
    {
        (name, error) = (default, null);
        int hashAt = path.LastIndexOf('/') + 1;
        if (hashAt < 2) return false;
        int kindAt = path.LastIndexOf('/', hashAt - 2) + 1;
        string kind = path[kindAt..(hashAt - 1)];
        if (kindAt == 0 || kind is not ("ac" or "cas")) return false;

        string hash = path[hashAt..];
        if (!DigestFunctions.TryInfer(hash.Length, unnamed, out var function) || hash.AsSpan().ContainsAnyExcept(Hexadecimal))
            error = "the last part of the path is no hash in lower-case hex";
        var instance = InstanceName.Empty;
        if (error is null && kindAt > 1 && !InstanceName.TryParse(path[1..(kindAt - 1)], out instance, out string? problem)) error = problem;
        name = new HttpCacheName(instance, kind == "ac", function, hash);
        return true;
    }
}
