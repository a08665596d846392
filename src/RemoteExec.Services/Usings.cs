// The wire and the domain share their nouns. Here a bare noun is the domain's; the wire's words carry `Wire`.
global using Compressor = RemoteExec.Core.Compressor;
global using Digest = RemoteExec.Core.Digest;
global using DigestFunction = RemoteExec.Core.DigestFunction;
global using DigestFunctions = RemoteExec.Core.DigestFunctions;
global using InstanceName = RemoteExec.Core.InstanceName;
global using OutputStream = RemoteExec.Core.OutputStream;
global using Platform = RemoteExec.Core.Platform;
global using RpcStatus = Google.Rpc.Status;
global using Status = Grpc.Core.Status;
global using WireCompressor = Build.Bazel.Remote.Execution.V2.Compressor.Types.Value;
global using WireDigest = Build.Bazel.Remote.Execution.V2.Digest;
global using WireDigestFunction = Build.Bazel.Remote.Execution.V2.DigestFunction.Types.Value;
global using WireDirectory = Build.Bazel.Remote.Execution.V2.Directory;
