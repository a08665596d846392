namespace RemoteExec.Benchmarks;

/// <summary>Paths of the calls that are measured.</summary>
internal static class Methods
{
    public const string HealthCheck = "grpc.health.v1.Health/Check";
    public const string Execute = "build.bazel.remote.execution.v2.Execution/Execute";
    public const string WaitExecution = "build.bazel.remote.execution.v2.Execution/WaitExecution";
    public const string GetActionResult = "build.bazel.remote.execution.v2.ActionCache/GetActionResult";
    public const string FindMissingBlobs = "build.bazel.remote.execution.v2.ContentAddressableStorage/FindMissingBlobs";
    public const string BatchUpdateBlobs = "build.bazel.remote.execution.v2.ContentAddressableStorage/BatchUpdateBlobs";
    public const string BatchReadBlobs = "build.bazel.remote.execution.v2.ContentAddressableStorage/BatchReadBlobs";
    public const string SpliceBlob = "build.bazel.remote.execution.v2.ContentAddressableStorage/SpliceBlob";
    public const string Write = "google.bytestream.ByteStream/Write";
    public const string Read = "google.bytestream.ByteStream/Read";
    public const string GetOperation = "google.longrunning.Operations/GetOperation";
}
