namespace RemoteExec.Core;

/// <summary>How many inputs the processor hashes at once. A wider level uses the narrower ones for what is left over.</summary>
internal enum Blake3Vectors
{
    None,
    Four,
    Eight,
    Sixteen,
}
