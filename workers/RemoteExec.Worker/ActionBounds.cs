using RemoteExec.Core;

namespace RemoteExec.Worker;

/// <summary>Bounds on actions that no action could live within: refused at the start, before every action dies of them.</summary>
public static class ActionBounds
{
    // A shell and what it starts; a compiler wants a hundred times as much.
    private const long MemoryBytesMin = 16 << 20;

    /// <param name="option">As it is written on the command line.</param>
    /// <returns>The sentence for who gave it; null when there is nothing to say.</returns>
    public static string? Problem(string option, long? memoryBytes) => memoryBytes is > 0 and < MemoryBytesMin
        ? $"{option}: {UnitText.FormatSize(memoryBytes.Value)} is less than a shell needs (16MiB), so every action would die; write such as 2GiB, or 0 for no limit but the machine's"
        : null;
}
