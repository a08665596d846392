namespace RemoteExec.Fuzz;

/// <summary>One target under mutants of its seeds and of its corpus, and of whatever of them went a way of its own. The same ones for the same seed.</summary>
internal sealed class FuzzRun(FuzzTarget target, int seed)
{
    // What is larger went through a mutation that repeats, many times over.
    private const int InputBytesMax = 64 << 10;

    // Some parsers repeat what they were given in words of their own: what is new by that is not new for long.
    private const int PoolMax = 500;

    // Of what is kept in the repository.
    private const int KeptMax = 40;
    private const int KeptBytesMax = 32 << 10;

    private readonly Random _random = new(seed);
    private readonly Mutants _mutants = new(seed);
    private readonly HashSet<string> _outcomes = [];
    private readonly List<byte[]> _pool = [];

    public FuzzTarget Target => target;

    public int Inputs { get; private set; }

    public IReadOnlyCollection<string> Outcomes => _outcomes;

    /// <summary>One for an outcome, without the seeds, and not more than one reads through.</summary>
    public List<byte[]> Kept { get; } = [];

    /// <summary>The seeds and the corpus; what is wrong, or null.</summary>
    public async Task<string?> BeginAsync()
    {
        foreach (byte[] right in target.Seeds)
        {
            if (await RunAsync(right) is { } fault) return fault;
            _pool.Add(right);
        }

        foreach (byte[] kept in Corpus.Of(target.Name))
        {
            int before = _outcomes.Count;
            if (await RunAsync(kept) is { } fault) return fault;
            if (_outcomes.Count > before) Keep(kept);
            _pool.Add(kept);
        }

        return null;
    }

    /// <summary>One mutant more; what is wrong, or null.</summary>
    public async Task<string?> StepAsync()
    {
        byte[] mutant = Mutant();
        int before = _outcomes.Count;
        if (await RunAsync(mutant) is { } fault) return fault;
        if (_outcomes.Count == before) return null;

        Keep(mutant);
        if (_pool.Count < PoolMax) _pool.Add(mutant);
        return null;
    }

    private void Keep(byte[] input)
    {
        if (input.Length > 0 && Kept.Count < KeptMax && Kept.Sum(each => each.Length) + input.Length <= KeptBytesMax) Kept.Add(input);
    }

    private byte[] Mutant()
    {
        byte[] one = _pool[_random.Next(_pool.Count)];
        // A part of another behind a part of this one: what two of them have, one of them gets.
        if (_random.Next(8) == 0)
        {
            byte[] other = _pool[_random.Next(_pool.Count)];
            one = [.. one[.._random.Next(one.Length + 1)], .. other[_random.Next(other.Length + 1)..]];
        }

        byte[] mutant = _mutants.Of(one);
        return mutant.Length > InputBytesMax ? mutant[..InputBytesMax] : mutant;
    }

    private async Task<string?> RunAsync(byte[] input)
    {
        Inputs++;
        try
        {
            _outcomes.Add(await target.RunAsync(input));
            return null;
        }
        catch (Exception fault)
        {
            // Whatever it is, it is what this is here to find.
            return $"{target.Name}, seed {seed}, number {Inputs}, {Convert.ToHexStringLower(input)}: {fault}";
        }
    }
}
