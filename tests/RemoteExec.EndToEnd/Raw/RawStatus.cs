namespace RemoteExec.EndToEnd;

/// <summary>gRPC's codes, as far as these tests meet them.</summary>
internal enum RawStatus
{
    Ok = 0,
    Unknown = 2,
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    NotFound = 5,
    ResourceExhausted = 8,
    FailedPrecondition = 9,
    OutOfRange = 11,
    Unimplemented = 12,
    Internal = 13,
}
