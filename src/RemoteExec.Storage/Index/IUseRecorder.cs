using RemoteExec.Core;

namespace RemoteExec.Storage;

/// <summary>Remembers uses across a restart. Called under the index's lock: takes note and returns.</summary>
internal interface IUseRecorder
{
    void Record(in Digest digest, long useMs);
}
