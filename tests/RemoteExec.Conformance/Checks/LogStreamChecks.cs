using Build.Bazel.Remote.LogStream.v1;

namespace RemoteExec.Conformance;

/// <summary>LogStream (REAPI BR7, BW11, S5).</summary>
internal static class LogStreamChecks
{
    public static IEnumerable<Check> All =>
    [
        new("S5", "a log's name does not tell the name to write it", "two names", async peer =>
        {
            var log = await CreateAsync(peer);
            return log.WriteResourceName.StartsWith(log.Name, StringComparison.Ordinal) && log.WriteResourceName.Length > log.Name.Length + 16 ? "two names" : $"{log}";
        }),
        new("BR7", "the name to write a log does not read it", "INVALID_ARGUMENT", async peer =>
        {
            var log = await CreateAsync(peer);
            return $"{(await peer.ReadAsync(log.WriteResourceName)).Length} bytes";
        }),
        new("BR7", "a reader gets what is written, while it is written, and the end", "first, then first second", async peer =>
        {
            var log = await CreateAsync(peer);
            using var read = peer.Bytes.Read(new Google.Bytestream.ReadRequest { ResourceName = log.Name });
            await peer.WriteAsync(Peer.Piece(log.WriteResourceName, "first"u8.ToArray()));
            string early = "";
            while (early.Length < 5 && await read.ResponseStream.MoveNext(peer.Deadline)) early += read.ResponseStream.Current.Data.ToStringUtf8();
            await peer.WriteAsync(Peer.Piece(log.WriteResourceName, " second"u8.ToArray(), offset: 5, finish: true));
            string all = early;
            while (await read.ResponseStream.MoveNext(peer.Deadline)) all += read.ResponseStream.Current.Data.ToStringUtf8();
            return $"{early}, then {all}";
        }),
        new("BW11", "the name to read a log does not write it", "INVALID_ARGUMENT or PERMISSION_DENIED", async peer =>
        {
            var log = await CreateAsync(peer);
            return $"{await peer.WriteAsync(Peer.Piece(log.Name, [1], finish: true))}";
        }),
        new("BW11", "what is committed is not written over", "INVALID_ARGUMENT or OUT_OF_RANGE", async peer =>
        {
            var log = await CreateAsync(peer);
            await peer.WriteAsync(Peer.Piece(log.WriteResourceName, "first"u8.ToArray()));
            return $"{await peer.WriteAsync(Peer.Piece(log.WriteResourceName, "other"u8.ToArray(), offset: 2))}";
        }),
        new("BW11", "how far a log is written is told, and that it is final", "5, then 11 and complete", async peer =>
        {
            var log = await CreateAsync(peer);
            await peer.WriteAsync(Peer.Piece(log.WriteResourceName, "first"u8.ToArray()));
            var open = await peer.WriteStatusAsync(log.WriteResourceName);
            await peer.WriteAsync(Peer.Piece(log.WriteResourceName, " second"u8.ToArray()[..6], offset: open.CommittedSize, finish: true));
            var final = await peer.WriteStatusAsync(log.WriteResourceName);
            return $"{open.CommittedSize}{(open.Complete ? " and complete" : "")}, then {final.CommittedSize}{(final.Complete ? " and complete" : "")}";
        }),
        new("BW11", "nothing is written behind the end", "refused", async peer =>
        {
            var log = await CreateAsync(peer);
            await peer.WriteAsync(Peer.Piece(log.WriteResourceName, "all"u8.ToArray(), finish: true));
            string seen = await WriteChecks.SeenAsync(async () => $"{await peer.WriteAsync(Peer.Piece(log.WriteResourceName, "more"u8.ToArray(), offset: 3))}");
            return seen is "INVALID_ARGUMENT" or "FAILED_PRECONDITION" or "OUT_OF_RANGE" or "NOT_FOUND" ? "refused" : seen;
        }),
        new("BW11", "a token that nobody was given writes nothing", "NOT_FOUND or INVALID_ARGUMENT or PERMISSION_DENIED", async peer =>
        {
            var log = await CreateAsync(peer);
            return $"{await peer.WriteAsync(Peer.Piece($"{log.Name}/{Guid.NewGuid():N}", [1], finish: true))}";
        }),
    ];

    private static Task<LogStream> CreateAsync(Peer peer) =>
        Peer.OfferedAsync(peer.Logs.CreateLogStreamAsync(new CreateLogStreamRequest { Parent = peer.Instance }).ResponseAsync);
}
