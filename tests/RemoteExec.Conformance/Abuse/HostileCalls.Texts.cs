using System.Globalization;
using static RemoteExec.Conformance.RawMessage;

namespace RemoteExec.Conformance;

/// <summary>Sizes that no blob has, bytes that are no text, headers that are too much.</summary>
internal static partial class HostileCalls
{
    // A lone continuation byte, and the first half of a character.
    private static readonly byte[] NoUtf8 = [(byte)'a', 0x80, 0xC3];

    private static IEnumerable<HostileCall> Sizes()
    {
        byte[] most = Digest(Absent, long.MaxValue);
        byte[] ofSha1 = Digest(new('a', 40), 9);
        yield return Call("FindMissingBlobs of 2^63-1 bytes", RawStatus.Ok, Cas + "FindMissingBlobs", Of((2, most)));
        yield return Call("FindMissingBlobs of two that are 2^63-1 bytes", RawStatus.Ok, Cas + "FindMissingBlobs", Of((2, most), (2, most)));
        yield return Call("BatchReadBlobs of two that are 2^63-1 bytes", RawStatus.InvalidArgument, Cas + "BatchReadBlobs", Of((2, most), (2, most)));
        yield return Call("QueryWriteStatus of -1 bytes", RawStatus.InvalidArgument, "google.bytestream.ByteStream/QueryWriteStatus", Of((1, $"{Upload}blobs/{Absent}/-1")));
        yield return Call("FindMissingBlobs of two functions", RawStatus.InvalidArgument, Cas + "FindMissingBlobs", Of((2, Digest(Absent, 9)), (2, ofSha1)));
        yield return Call("FindMissingBlobs of another function's length", RawStatus.InvalidArgument, Cas + "FindMissingBlobs", Of((2, ofSha1), (3, 1)));
        yield return Call("GetTree of another function's length", RawStatus.InvalidArgument, Cas + "GetTree", Of((2, ofSha1), (5, 1)));
        yield return Call("Execute of another function's length", RawStatus.InvalidArgument, ExecuteMethod, Of((6, ofSha1), (9, 1)));
        yield return Call("GetActionResult of another function's length", RawStatus.InvalidArgument, "build.bazel.remote.execution.v2.ActionCache/GetActionResult", Of((2, ofSha1), (6, 1)));
        yield return Call("a function of number 2^31-1", RawStatus.InvalidArgument, Cas + "FindMissingBlobs", Of((2, Digest(Absent, 9)), (3, int.MaxValue)));
        yield return Call("a function of number -1", RawStatus.InvalidArgument, Cas + "FindMissingBlobs", Of((2, Digest(Absent, 9)), (3, -1)));
    }

    private static IEnumerable<HostileCall> Texts()
    {
        yield return Call("Read of a name that is no UTF-8", RawStatus.InvalidArgument, ReadMethod, Of((1, (object)NoUtf8)));
        yield return Call("a hash that is no UTF-8", RawStatus.InvalidArgument, Cas + "FindMissingBlobs", Of((2, Of((1, (object)NoUtf8), (2, 9)))));
        yield return Tree("a file that is no UTF-8", RawStatus.InvalidArgument, Of((1, Of((1, (object)NoUtf8), (2, DigestOf([]))))));
        yield return Tree("a link to what is no UTF-8", RawStatus.InvalidArgument, Of((3, Of((1, "l"), (2, (object)NoUtf8)))));
        yield return Action("command: an argument that is no UTF-8", RawStatus.InvalidArgument, Of((1, "/bin/true"), (1, (object)NoUtf8)));
        yield return Action("command: an output that is no UTF-8", RawStatus.InvalidArgument, Of((1, "/bin/true"), (7, (object)NoUtf8)));
        yield return Call("an operation that is no UTF-8", RawStatus.InvalidArgument, "google.longrunning.Operations/GetOperation", Of((1, (object)NoUtf8)));
        yield return Call("a filter of a megabyte", RawStatus.InvalidArgument, "google.longrunning.Operations/ListOperations", Of((1, new string('(', 1_000_000))));
        yield return Call("a page of -1 operations", RawStatus.InvalidArgument, "google.longrunning.Operations/ListOperations", Of((2, -1)));
        yield return Call("a page token that is none", RawStatus.InvalidArgument, "google.longrunning.Operations/ListOperations", Of((3, "\0")));
        yield return Call("a page of -2^31 directories", RawStatus.InvalidArgument, Cas + "GetTree", Of((2, DigestOf([])), (3, (long)int.MinValue)));
        yield return Call("a page token of a megabyte", RawStatus.InvalidArgument, Cas + "GetTree", Of((2, DigestOf([])), (4, new string('t', 1_000_000))));

        HostileCall Find(string name, params (string, string)[] headers) =>
            Call(name, RawStatus.Ok, Cas + "FindMissingBlobs", Of()) with { Headers = headers };
        const string metadata = "build.bazel.remote.execution.v2.requestmetadata-bin";
        byte[] lines = Of((1, Of((1, "to\nol"), (2, "\r\n1.0"))), (2, "a\nb"), (3, "INFO: forged\nline\u001b[31m"), (5, "\0"));
        yield return Find("RequestMetadata with line breaks and escapes", (metadata, Convert.ToBase64String(lines)));
        yield return Find("RequestMetadata that is no UTF-8", (metadata, Convert.ToBase64String(Of((3, (object)NoUtf8)))));
        yield return Find("RequestMetadata ten times", [.. Enumerable.Repeat((metadata, "AAAA"), 10)]);
        yield return Find("a traceparent that is none", ("traceparent", "00-zz-zz-zz"), ("tracestate", new string('=', 500)));
        yield return Find("80 headers", [.. Enumerable.Range(0, 80).Select(i => ($"x-{i.ToString(CultureInfo.InvariantCulture)}", "v"))]);
        yield return Find("a timeout that is none", ("grpc-timeout", "soon"));
        yield return Find("a timeout of a century", ("grpc-timeout", "99999999H"));
        yield return Find("an encoding that nobody has", ("grpc-accept-encoding", "x-none"));
        yield return Call("a resource-name header of 64 kB", RawStatus.InvalidArgument, ReadMethod, Of((1, $"blobs/{Absent}/9"))) with
        {
            Headers = [("build.bazel.remote.execution.v2.resource-name", new string('r', 64 << 10))],
        };
    }
}
