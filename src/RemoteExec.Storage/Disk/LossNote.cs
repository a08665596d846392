using RemoteExec.Core;

namespace RemoteExec.Storage;

/// <summary>
/// An empty file that says: the machine went down under an earlier run, and not all that was here has been read since (<see cref="FirstUses"/>). Which
/// of it has, only the run knows; the next one looks at all of it again.
/// </summary>
internal static class LossNote
{
    public static bool IsThere(string path) => File.Exists(path);

    /// <summary>
    /// Flushed: a use log that was closed in order is believed, whatever happens to the machine afterwards. False on a disk without any room, or
    /// one that fails.
    /// </summary>
    public static bool TryMake(string path, IDisk disk)
    {
        try
        {
            using var note = File.OpenHandle(path, FileMode.OpenOrCreate, FileAccess.Write);
            if (disk.Flush(note) != 0) return false;
            DurableDirectory.Flush(disk, Path.GetDirectoryName(path)!);
            return true;
        }
        catch (Exception refused) when (refused is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    public static void TakeAway(string path)
    {
        if (IsThere(path)) ServingLoop.Serve(() => File.Delete(path), static _ => { }); // then all is read once more
    }
}
