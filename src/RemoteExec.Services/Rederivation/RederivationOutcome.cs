namespace RemoteExec.Services;

/// <summary>What became of the wish to make the lost inputs of one request again.</summary>
public enum RederivationOutcome
{
    /// <summary>They are there, and the request went on.</summary>
    Restored,

    /// <summary>An action ran again and made something else.</summary>
    Nondeterministic,

    /// <summary>An action ran again and failed, or could not be run to its end.</summary>
    Failed,

    /// <summary>It was not tried, or not for all of them: beyond the bounds, or inputs of a producer are gone for good.</summary>
    Refused,
}
