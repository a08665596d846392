namespace RemoteExec.Storage;

/// <summary>Told what an action cache answered; metrics hang here. Be quick, never wait. What it throws changes nothing.</summary>
public interface IActionCacheObserver
{
    void Hit() { }

    void Missed() { }

    /// <summary>A result was there, but not all of what it refers to.</summary>
    void FoundIncomplete() { }

    void Stored() { }
}
