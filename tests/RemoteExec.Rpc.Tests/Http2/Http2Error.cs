namespace RemoteExec.Rpc.Tests;

/// <summary>RFC 9113 section 7.</summary>
internal enum Http2Error
{
    NoError = 0x0,
    InternalError = 0x2,
    RefusedStream = 0x7,
    Cancel = 0x8,
    EnhanceYourCalm = 0xB,
}
