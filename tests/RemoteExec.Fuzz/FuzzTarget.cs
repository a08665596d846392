using System.Text.RegularExpressions;
using Grpc.Core;

namespace RemoteExec.Fuzz;

/// <summary>One parser, with what is right for it and how to tell what it made of some bytes.</summary>
/// <param name="Seeds">Right, all of them.</param>
/// <param name="Read">
/// Reads, and says what it is in a word, or nothing when it is refused by value. An <see cref="RpcException"/> is a refusal, too; whatever else it throws is a fault, as
/// what it throws itself about what was read.
/// </param>
internal sealed partial record FuzzTarget(string Name, IReadOnlyList<byte[]> Seeds, Func<byte[], ValueTask<string>> Read)
{
    /// <summary>How every outcome begins that is no refusal.</summary>
    public const string Taken = "taken";

    // The codes that tell a client what is wrong with what it sent.
    private static readonly StatusCode[] Refusals =
        [StatusCode.InvalidArgument, StatusCode.OutOfRange, StatusCode.ResourceExhausted, StatusCode.FailedPrecondition];

    /// <summary>For a parser that does not wait.</summary>
    public static FuzzTarget Of(string name, IReadOnlyList<byte[]> seeds, Func<byte[], string> read) => new(name, seeds, bytes => ValueTask.FromResult(read(bytes)));

    /// <summary>What came of some bytes, without what is theirs: two of one outcome went the same way, as far as can be told from outside.</summary>
    public async ValueTask<string> RunAsync(byte[] input)
    {
        try
        {
            string read = await Read(input);
            return read.Length > 0 ? $"{Taken} {read}" : "no";
        }
        catch (RpcException refusal) when (Refusals.Contains(refusal.StatusCode))
        {
            return $"{refusal.StatusCode} {Particular().Replace(refusal.Status.Detail, "#")}";
        }
    }

    public static void Require(bool isTrue, string rule)
    {
        if (!isTrue) throw new InvalidDataException(rule);
    }

    public override string ToString() => Name;

    [GeneratedRegex("'.*'|\".*\"|[0-9a-fA-F]{4,}|[0-9]+|[^ -~]+", RegexOptions.Singleline)]
    private static partial Regex Particular();
}
