using System.CommandLine;

namespace RemoteExec.Cli;

/// <summary>What every verb has: who it speaks to, how it answers, where.</summary>
internal sealed record Cli(ServerOptions Server, OutputOptions Output, CliConsole Console)
{
    public const string DigestHelp = "HASH/SIZE, HASH:SIZE, or the first letters of a hash of a recent action";

    /// <summary>Finds the digest that an argument names.</summary>
    public static Argument<string> DigestArgument() => new("digest") { Description = DigestHelp, HelpName = "DIGEST" };
}
