using Google.Protobuf;
using RemoteExec.Core;

namespace RemoteExec.Storage;

/// <summary>One small blob's part of a batch call: to be read, or with its data to be written.</summary>
internal sealed record BlobAsk(Digest Digest, ByteString? Data);
