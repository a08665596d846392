using Grpc.Core;

namespace RemoteExec.Cli;

/// <summary>A program that the worker does not have is the command's failure, as in a shell, and not the server's refusal.</summary>
internal static class MissingProgram
{
    /// <summary>What a shell answers (POSIX 2.8.2).</summary>
    public const int ExitCode = 127;

    // The words with which a worker begins; Bazel looks for them, too.
    private const string Start = "missing command: ";

    /// <summary>The sentence about it; null for any other end.</summary>
    public static string? In(RpcStatus? status) =>
        status is { Code: (int)StatusCode.FailedPrecondition } && status.Message.StartsWith(Start, StringComparison.Ordinal)
            ? status.Message[Start.Length..]
            : null;
}
