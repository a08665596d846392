namespace RemoteExec.Storage;

/// <summary>What a batch call said of one blob.</summary>
internal sealed record BlobAnswer(Google.Rpc.Status Status, ReadOnlyMemory<byte> Data);
