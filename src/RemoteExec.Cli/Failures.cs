using System.Text.RegularExpressions;
using Grpc.Core;
using RemoteExec.Client;
using RemoteExec.Hosting;

namespace RemoteExec.Cli;

/// <summary>What each failure is in words, and how the process ends: for someone who has this program and nothing else.</summary>
internal static partial class Failures
{
    /// <summary>EX_SOFTWARE of sysexits.h: nothing that a caller did.</summary>
    public const int Bug = 70;

    // What .NET says when a port speaks HTTP/1.1, or nothing that it understands.
    private static readonly string[] NotGrpc = ["HTTP_1_1_REQUIRED", "Bad gRPC response", "handshake", "ended prematurely"];

    /// <param name="failure">Anything.</param>
    /// <param name="server">Where the server was looked for.</param>
    public static (int ExitCode, string Sentence) Of(Exception failure, string server) => failure switch
    {
        // All of them are about this machine: an option, a folder, a full disk.
        ClientException or IOException or UnauthorizedAccessException => (ExitCode.Usage, failure.Message),
        RpcException { Status.DebugException: not null } lost => (ExitCode.Unavailable, Lost(lost, server)),
        RpcException answer => (CodeOf(answer.StatusCode), Answer(answer)),
        _ => (Bug, $"rexec failed in a way that nobody foresaw, please report it: {failure.GetType().Name}: {failure.Message}"),
    };

    /// <summary>The server's own words, alone. A code's name means nothing to most.</summary>
    private static string Answer(RpcException answer) => answer.Status.Detail.Length > 0
        ? answer.Status.Detail
        : answer.StatusCode switch
        {
            StatusCode.Unimplemented => "the server does not offer this",
            StatusCode.Unauthenticated => "the server wants to know who asks, and this version of rexec cannot tell it",
            StatusCode.PermissionDenied => "the server does not allow this",
            StatusCode.NotFound => "the server does not have this",
            StatusCode.DeadlineExceeded => "the server did not answer in time",
            var code => $"the server refused without a word ({code})",
        };

    /// <summary>Nobody answered, or somebody who is no such server.</summary>
    private static string Lost(RpcException lost, string server)
    {
        string reasons = ReasonsOf(lost);
        if (reasons.Contains("SSL", StringComparison.Ordinal) || reasons.Contains("TLS", StringComparison.Ordinal) || reasons.Contains("certificate", StringComparison.Ordinal))
            return $"no TLS connection to {server} could be made: {InnermostOf(lost)}. A server without TLS is grpc://HOST:PORT";
        // A web port says so (HTTP_1_1_REQUIRED) and closes; which of the two is read first is chance, so the sentence does not depend on it.
        if (NotGrpc.Any(sign => reasons.Contains(sign, StringComparison.Ordinal)))
            return $"{server} answers, but not as a gRPC port does; it may be a web port. The gRPC port of a server is usually one lower; name it with --server. With TLS it is grpcs://HOST:PORT";
        return $"the server cannot be reached at {server}: {InnermostOf(lost)}. Is it running? Start rexec-server, or name another with --server or {ServerOptions.AddressVariable}";
    }

    private static string ReasonsOf(RpcException lost)
    {
        var reasons = new List<string> { lost.Status.Detail };
        for (var cause = lost.Status.DebugException; cause is not null; cause = cause.InnerException) reasons.Add(cause.Message);
        return string.Join('\n', reasons);
    }

    private static string InnermostOf(RpcException lost)
    {
        var cause = lost.Status.DebugException!; // only such come here
        while (cause.InnerException is { } inner) cause = inner;
        // .NET adds the address, which is in our sentence already.
        return Address().Replace(cause.Message, "").TrimEnd('.', ' ');
    }

    private static int CodeOf(StatusCode code) => code switch
    {
        StatusCode.InvalidArgument => ExitCode.Usage,
        StatusCode.NotFound => ExitCode.NotFound,
        StatusCode.Unavailable or StatusCode.DeadlineExceeded or StatusCode.Internal or StatusCode.Unknown or StatusCode.DataLoss => ExitCode.Unavailable,
        _ => ExitCode.Refused,
    };

    [GeneratedRegex(@" \([^()]*:\d+\)$")]
    private static partial Regex Address();
}
