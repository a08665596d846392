using RemoteExec.Core;

namespace RemoteExec.Storage;

/// <summary>
/// An empty file that says: the machine went down under an earlier run, and not all that was here has been read since (<see cref="FirstUses"/>). Which
/// of it has, only the run knows; the next one looks at all of it again.
/// </summary>
internal static class LossNote
{
    public static bool IsThere(string path) => File.Exists(path);

    /// <summary>Not flushed: should the machine go down again, the use log tells. False on a disk without any room.</summary>
    public static bool TryMake(string path)
    {
        try
        {
            using var note = File.OpenHandle(path, FileMode.OpenOrCreate, FileAccess.Write);
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
