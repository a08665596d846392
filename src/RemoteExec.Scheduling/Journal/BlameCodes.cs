namespace RemoteExec.Scheduling;

/// <summary>Blame as one byte. Where it stands there used to be a flag, 1 for "the worker's fault": 0 and 1 keep their meaning.</summary>
internal static class BlameCodes
{
    private static readonly Blame[] ByCode = [Blame.None, Blame.Worker, Blame.Client, Blame.Action, Blame.Coordinator, Blame.Store];

    public static byte ToByte(Blame blame) => (byte)Array.IndexOf(ByCode, blame);

    public static Blame FromByte(byte code) => code < ByCode.Length ? ByCode[code] : throw JournalReader.Misfit();
}
