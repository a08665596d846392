namespace RemoteExec.Services;

/// <summary>Which successes are cached although they lack outputs that their commands announced.</summary>
public enum IncompleteResults
{
    /// <summary>All of them.</summary>
    Always,

    /// <summary>
    /// Those that wrote one at least. What wrote none did not do what it was asked for, and whoever needs a file would be served that for
    /// ever; unless its outputs are optional, as those of tests are.
    /// </summary>
    Some,

    /// <summary>None, and that means tests, too: Bazel's announce eight files that seldom exist.</summary>
    Never,
}
