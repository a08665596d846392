namespace RemoteExec.Storage;

/// <summary>Takes what <see cref="IBlobStore.ReadManyAsync"/> reads: one call for each digest, in the order asked.</summary>
public interface IBlobReceiver
{
    /// <param name="index">Of the digest, in what was asked for.</param>
    /// <param name="data">The whole blob, until the call returns.</param>
    void Found(int index, ReadOnlySpan<byte> data);

    void Missing(int index);

    /// <summary>It may be there, and could not be read now.</summary>
    void Failed(int index, Exception failure);
}
