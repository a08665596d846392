using Google.Protobuf;
using Google.Protobuf.Reflection;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Microsoft.AspNetCore.Http;
using RemoteExec.Protocol;

namespace RemoteExec.Web;

/// <summary>Messages as JSON (protobuf's own mapping), and failures as google.rpc.Status with the status of HTTP that belongs to its code.</summary>
internal static class JsonTexts
{
    // What is inside of an Any has to be known by its name: details of failures, metadata of operations and results.
    private static readonly TypeRegistry Types = TypeRegistry.FromFiles(
        Google.Rpc.BadRequest.Descriptor.File, Google.Rpc.Status.Descriptor.File, Build.Bazel.Remote.Execution.V2.Action.Descriptor.File, Struct.Descriptor.File,
        Google.LongRunning.Operation.Descriptor.File, Build.Bazel.Remote.Asset.v1.Qualifier.Descriptor.File, Buildbarn.ResourceUsage.POSIXResourceUsage.Descriptor.File);

    private static readonly JsonParser Reader = new(JsonParser.Settings.Default.WithTypeRegistry(Types));
    private static readonly JsonFormatter Writer = new(JsonFormatter.Settings.Default.WithTypeRegistry(Types));

    /// <exception cref="RpcException">INVALID_ARGUMENT.</exception>
    public static IMessage Parse(string json, MessageDescriptor type)
    {
        try
        {
            return Reader.Parse(json, type);
        }
        catch (Exception broken) when (broken is IOException or InvalidOperationException) // text that is no JSON, or not of that message
        {
            throw RpcErrors.Invalid($"the body is no {type.Name} in JSON: {broken.Message}");
        }
    }

    /// <exception cref="RpcException">UNIMPLEMENTED.</exception>
    public static string Format(IMessage message)
    {
        try
        {
            return Writer.Format(message);
        }
        catch (InvalidOperationException unknown)
        {
            // An Any of a client's or a worker's own.
            throw RpcErrors.Of(StatusCode.Unimplemented, $"the answer has no form in JSON ({unknown.Message}); ask over gRPC");
        }
    }

    public static string Format(RpcException failure) => Writer.Format(failure.ToStatus());

    /// <summary>As google/rpc/code.proto has it.</summary>
    public static int HttpStatusOf(StatusCode code) => code switch
    {
        StatusCode.OK => StatusCodes.Status200OK,
        StatusCode.Cancelled => StatusCodes.Status499ClientClosedRequest,
        StatusCode.InvalidArgument or StatusCode.FailedPrecondition or StatusCode.OutOfRange => StatusCodes.Status400BadRequest,
        StatusCode.DeadlineExceeded => StatusCodes.Status504GatewayTimeout,
        StatusCode.NotFound => StatusCodes.Status404NotFound,
        StatusCode.AlreadyExists or StatusCode.Aborted => StatusCodes.Status409Conflict,
        StatusCode.PermissionDenied => StatusCodes.Status403Forbidden,
        StatusCode.Unauthenticated => StatusCodes.Status401Unauthorized,
        StatusCode.ResourceExhausted => StatusCodes.Status429TooManyRequests,
        StatusCode.Unimplemented => StatusCodes.Status501NotImplemented,
        StatusCode.Unavailable => StatusCodes.Status503ServiceUnavailable,
        _ => StatusCodes.Status500InternalServerError,
    };
}
