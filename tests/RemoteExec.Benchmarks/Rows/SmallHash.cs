namespace RemoteExec.Benchmarks;

/// <summary>Digests one blob with BLAKE3 and throws the digest away.</summary>
internal delegate void SmallHash(ReadOnlySpan<byte> data);
