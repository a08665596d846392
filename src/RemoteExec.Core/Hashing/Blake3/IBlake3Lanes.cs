namespace RemoteExec.Core;

/// <summary>
/// The operations of BLAKE3 on a vector whose every 32-bit lane works on another input. What differs between
/// processors is here; the algorithm itself is written once, in <see cref="Blake3Kernel{TVector, TLanes}"/>.
/// </summary>
internal interface IBlake3Lanes<TVector>
    where TVector : unmanaged
{
    /// <summary>Inputs hashed at once.</summary>
    static abstract int Count { get; }

    static abstract TVector Splat(uint value);

    static abstract TVector Add(TVector left, TVector right);

    static abstract TVector Xor(TVector left, TVector right);

    static abstract TVector RotateRight16(TVector value);

    static abstract TVector RotateRight12(TVector value);

    static abstract TVector RotateRight8(TVector value);

    static abstract TVector RotateRight7(TVector value);

    /// <summary>
    /// Reads a 64-byte block of each input, <paramref name="strideBytes"/> apart, so that vector w holds word w of
    /// all of them.
    /// </summary>
    static abstract void LoadBlocks(ref byte blocks, nuint strideBytes, ref TVector words);

    /// <summary>Writes eight vectors of words back as one 32-byte chaining value for each input.</summary>
    static abstract void StoreChainingValues(ref TVector words, ref byte chainingValues);
}
