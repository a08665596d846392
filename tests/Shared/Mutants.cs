namespace RemoteExec.Testing;

/// <summary>Bytes that were right once: cut, turned over, repeated, with noise among them. The same ones for the same seed.</summary>
internal sealed class Mutants(int seed)
{
    private readonly Random _random = new(seed);

    public byte[] Of(ReadOnlySpan<byte> original)
    {
        byte[] mutant = original.ToArray();
        for (int changes = _random.Next(1, 4); changes > 0; changes--) mutant = Change(mutant);
        return mutant;
    }

    public string Of(string original, params ReadOnlySpan<string> words)
    {
        string mutant = original;
        for (int changes = _random.Next(1, 4); changes > 0; changes--)
        {
            int at = _random.Next(mutant.Length + 1);
            mutant = _random.Next(5) switch
            {
                0 => mutant[..at],
                1 => mutant.Insert(at, words[_random.Next(words.Length)]),
                2 => mutant.Insert(at, ((char)_random.Next(char.MaxValue)).ToString()),
                3 when at < mutant.Length => mutant.Remove(at, 1),
                _ => mutant[at..] + mutant[..at],
            };
        }

        return mutant;
    }

    private byte[] Change(byte[] bytes)
    {
        int at = _random.Next(bytes.Length + 1);
        switch (_random.Next(6))
        {
            case 0:
                return bytes[..at];
            case 1 when at < bytes.Length:
                bytes[at] ^= (byte)(1 << _random.Next(8));
                return bytes;
            case 2 when at < bytes.Length:
                bytes[at] = (byte)_random.Next(256);
                return bytes;
            case 3:
                int length = _random.Next(bytes.Length - at + 1);
                return [.. bytes[..(at + length)], .. bytes[at..]];
            case 4:
                byte[] noise = new byte[_random.Next(1, 12)];
                _random.NextBytes(noise);
                return [.. bytes[..at], .. noise, .. bytes[at..]];
            default:
                // What length fields and varints turn on.
                return [.. bytes[..at], 0xFF, 0xFF, 0xFF, 0x7F, .. bytes[Math.Min(bytes.Length, at + 4)..]];
        }
    }
}
