using NUnit.Framework;
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

    public List<SegmentClaim> Claims { get; } = [];

    public Dictionary<Digest, BlobPlace> Places { get; } = [];

    public void Claim(ReadOnlySpan<SegmentClaim> claims) => Claims.AddRange(claims);

    public void Remember(ReadOnlySpan<BlobUse> uses, bool areNew)
    {
        foreach (var use in uses)
        {
            Assert.That(areNew && Places.ContainsKey(use.Digest), Is.False, "new, and told before");
            Places[use.Digest] = use.Place;
            Remember([use.Digest], [use.UseMs]);
        }
    }

    public void Remember(ReadOnlySpan<Digest> digests, ReadOnlySpan<long> usesMs)
    {
        for (int i = 0; i < digests.Length; i++) this[digests[i]] = Math.Max(this.GetValueOrDefault(digests[i], long.MinValue), usesMs[i]);
    }
}
