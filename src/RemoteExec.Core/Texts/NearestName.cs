namespace RemoteExec.Core;

/// <summary>Finds the name that somebody probably meant.</summary>
public static class NearestName
{
    // Longer words are told apart by their beginning; the bound keeps the square of a hostile word small.
    private const int ComparedLengthMax = 64;

    /// <summary>
    /// The candidate nearest to <paramref name="word"/>, or null when none is near: a far-fetched suggestion misleads.
    /// Case and the difference between <c>-</c>, <c>_</c> and nothing do not count.
    /// </summary>
    public static string? Find(string word, IEnumerable<string> candidates)
    {
        string wanted = Normalise(word);
        // One slip in three letters still reads as the same word; a shorter word has room for one.
        int nearestDistance = Math.Max(1, wanted.Length / 3) + 1;
        string? nearest = null;
        foreach (string candidate in candidates)
        {
            int distance = Distance(wanted, Normalise(candidate));
            if (distance >= nearestDistance) continue;

            nearest = candidate;
            nearestDistance = distance;
        }

        return nearest;
    }

    /// <summary>" Did you mean 'x'?" with a leading space, or nothing.</summary>
    public static string Suggestion(string word, IEnumerable<string> candidates) =>
        Find(word, candidates) is { } name ? $" Did you mean '{name}'?" : "";

    /// <summary>What counts of a word when it is compared.</summary>
    public static string Normalise(string word)
    {
        string letters = word.Replace("-", "", StringComparison.Ordinal).Replace("_", "", StringComparison.Ordinal);
        return letters[..Math.Min(letters.Length, ComparedLengthMax)].ToUpperInvariant();
    }

    /// <summary>Insertions, deletions, replacements and swaps of neighbours (optimal string alignment).</summary>
    private static int Distance(string from, string to)
    {
        var rows = new int[from.Length + 1, to.Length + 1];
        for (int i = 0; i <= from.Length; i++) rows[i, 0] = i;
        for (int j = 0; j <= to.Length; j++) rows[0, j] = j;

        for (int i = 1; i <= from.Length; i++)
        {
            for (int j = 1; j <= to.Length; j++)
            {
                int replaced = rows[i - 1, j - 1] + (from[i - 1] == to[j - 1] ? 0 : 1);
                rows[i, j] = Math.Min(replaced, Math.Min(rows[i - 1, j], rows[i, j - 1]) + 1);

                bool areSwapped = i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1];
                if (areSwapped) rows[i, j] = Math.Min(rows[i, j], rows[i - 2, j - 2] + 1);
            }
        }

        return rows[from.Length, to.Length];
    }
}
