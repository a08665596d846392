namespace RemoteExec.Benchmarks;

/// <summary>Content that can be compressed.</summary>
internal static class TextBlob
{
    /// <summary>Words out of a few thousand: compresses about as well as sources do.</summary>
    public static byte[] Make(int bytes)
    {
        var random = new Random(300);
        byte[][] words = [.. Enumerable.Range(0, 4096).Select(_ => Enumerable.Range(0, random.Next(3, 12)).Select(_ => (byte)random.Next('a', 'z')).ToArray())];
        byte[] text = new byte[bytes];
        for (int at = 0; at < text.Length; at++)
        {
            var word = words[random.Next(words.Length)].AsSpan();
            word[..Math.Min(word.Length, text.Length - at)].CopyTo(text.AsSpan(at));
            at += word.Length;
            if (at < text.Length) text[at] = (byte)' ';
        }

        return text;
    }
}
