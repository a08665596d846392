namespace RemoteExec.Services;

/// <summary>What becomes of a <see cref="LiveLog"/>.</summary>
internal enum LiveLogState
{
    Open,

    /// <summary>Nothing more is taken.</summary>
    Ended,

    /// <summary>The coordinator leaves.</summary>
    Closed,

    /// <summary>Its bytes are gone: others needed the room, or its time was over.</summary>
    Forgotten,
}
