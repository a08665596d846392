global using Digest = RemoteExec.Core.Digest;
global using DigestFunction = RemoteExec.Core.DigestFunction;
global using WireAction = Build.Bazel.Remote.Execution.V2.Action;
global using WireCommand = Build.Bazel.Remote.Execution.V2.Command;
global using WireDirectory = Build.Bazel.Remote.Execution.V2.Directory;
global using WirePlatform = Build.Bazel.Remote.Execution.V2.Platform;
