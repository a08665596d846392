using RemoteExec.Core;

namespace RemoteExec.Storage.Tests;

/// <summary>What a use log has.</summary>
internal sealed class UseDictionary : Dictionary<Digest, long>, IUseTaker
{
    public static UseDictionary Read(string path)
    {
        var uses = new UseDictionary();
        UseRecords.Read(path, new Disk(), uses);
        return uses;
    }

    public void Expect(long uses) => EnsureCapacity((int)uses);

    public void Remember(ReadOnlySpan<Digest> digests, ReadOnlySpan<long> usesMs)
    {
        for (int i = 0; i < digests.Length; i++) this[digests[i]] = Math.Max(this.GetValueOrDefault(digests[i], long.MinValue), usesMs[i]);
    }
}
