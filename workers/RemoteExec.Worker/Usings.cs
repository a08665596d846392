// The wire and the domain share their nouns. Here a bare noun is the domain's; the wire's digest words carry `Wire`.
global using Digest = RemoteExec.Core.Digest;
global using DigestFunction = RemoteExec.Core.DigestFunction;
global using OutputStream = RemoteExec.Core.OutputStream;
global using PlatformProperty = RemoteExec.Core.PlatformProperty;
global using RpcStatus = Google.Rpc.Status;
global using WireAction = Build.Bazel.Remote.Execution.V2.Action;
global using WireCommand = Build.Bazel.Remote.Execution.V2.Command;
global using WireDigest = Build.Bazel.Remote.Execution.V2.Digest;
global using WireDirectory = Build.Bazel.Remote.Execution.V2.Directory;
