namespace RemoteExec.Conformance;

/// <summary>The table of abuses as checks: the code, and that the next honest call is served.</summary>
internal static class AbuseChecks
{
    public static IEnumerable<Check> All => HostileCalls.All.Select(call =>
        new Check("abuse", call.Name, StatusNames.Of((int)call.Expected), peer => LookAsync(peer, call)) { IsOurChoice = call.IsOurChoice });

    private static async Task<string> LookAsync(Peer peer, HostileCall call)
    {
        // The messages are bytes, and name no instance.
        if (peer.Instance.Length > 0) throw new NotOfferedException("abuse is for the empty instance name");

        await peer.StoreAsync([.. call.Blobs.Select(content => Blob.Of(content))]);
        var (status, detail, _) = await peer.Raw.CallAsync(call.Method, call.Messages, call.Headers);
        var honest = await peer.StoreAsync(Peer.Random(100));
        if (!(await peer.BatchReadAsync(honest.Digest)).Responses.Single().Data.Span.SequenceEqual(honest.Content)) return "the next honest call had other bytes";
        return status == call.Expected ? StatusNames.Of((int)status) : $"{StatusNames.Of((int)status)}: {detail}";
    }
}
