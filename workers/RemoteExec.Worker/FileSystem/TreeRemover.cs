namespace RemoteExec.Worker;

/// <summary>
/// Removes a tree that an action has written, whatever it left: unreadable directories, a hundred thousand
/// levels, names that are no text. Never follows a link and never leaves the tree.
/// </summary>
internal static class TreeRemover
{
    // Directories deeper than this are first moved up to the top, so that neither the stack nor the
    // descriptor table grows with what an action chose to build.
    private const int LevelsMax = 64;

    private const int NamesPerPassMax = 4096;

    /// <summary>Removes the entry <paramref name="name"/> of the directory <paramref name="parent"/>; nothing there is fine.</summary>
    /// <exception cref="OperationCanceledException">Given up half-way; what is left can be removed later in the same way.</exception>
    public static void Remove(string parent, FileName name, CancellationToken cancellationToken)
    {
        using var top = DirectoryHandle.Open(parent);
        var pending = new Stack<FileName>();
        pending.Push(name);
        int movedUp = 0;

        while (pending.TryPop(out var next))
            RemoveEntry(top, next, level: 0);

        void RemoveEntry(DirectoryHandle directory, FileName entry, int level)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (directory.TryUnlink(entry)) return;
            // Root reads what it likes; anyone else first takes back the rights the action removed, also to move.
            if (Posix.EffectiveUser != 0) directory.Unlock(entry);
            if (level == LevelsMax)
            {
                var moved = FileName.From($"{name}.deep-{movedUp++}");
                directory.Move(entry, top, moved);
                pending.Push(moved);
                return;
            }

            using var child = directory.TryOpenDirectory(entry);
            if (child is null) return;
            for (var names = child.ReadNames(NamesPerPassMax); names.Count > 0; names = child.ReadNames(NamesPerPassMax))
            {
                foreach (var inner in names)
                    RemoveEntry(child, inner, level + 1);
                if (names.Count <= NamesPerPassMax) break;
                child.Rewind();
            }
            directory.RemoveEmptyDirectory(entry);
        }
    }
}
