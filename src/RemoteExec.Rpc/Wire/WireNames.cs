namespace RemoteExec.Rpc;

/// <summary>Header names and values of gRPC over HTTP/2.</summary>
internal static class WireNames
{
    public const string ContentType = "application/grpc";
    public const string Status = "grpc-status";
    public const string Message = "grpc-message";
    public const string Timeout = "grpc-timeout";
    public const string Encoding = "grpc-encoding";
    public const string AcceptEncoding = "grpc-accept-encoding";
    public const string RetryPushback = "grpc-retry-pushback-ms";
    public const string PreviousAttempts = "grpc-previous-rpc-attempts";
    public const string Identity = "identity";
    public const string Gzip = "gzip";

    /// <summary>
    /// The longest grpc-message that is sent. Clients refuse trailers beyond 8 KiB (grpc-java, Bazel's) and then know
    /// not even the code; details of up to 4 KiB take 5.5 of them in base64.
    /// </summary>
    public const int MessageCharactersMax = 1536;

    public const string AcceptedEncodings = "identity,gzip";

    /// <summary>True for names that belong to HTTP or to gRPC itself: they are not metadata.</summary>
    public static bool IsReserved(string name) => name.Length == 0 || name[0] == ':' || name switch
    {
        "content-type" or "content-length" or "te" or "host" or "date" or "server" or "connection"
            or "accept-encoding" or "content-encoding" or "transfer-encoding" => true,
        Status or Message or Timeout or Encoding or AcceptEncoding => true,
        _ => false,
    };

    /// <summary><c>application/grpc</c>, alone or with a <c>+proto</c> kind or a parameter behind it.</summary>
    public static bool IsGrpcContentType(string? value) =>
        value is not null
        && value.StartsWith(ContentType, StringComparison.OrdinalIgnoreCase)
        && (value.Length == ContentType.Length || value[ContentType.Length] is '+' or ';');
}
