namespace RemoteExec.Rpc;

/// <summary>A response message broke while it was written: its length is on its way already, so only a reset can follow.</summary>
internal sealed class MessageCutShortException(Exception reason) : Exception(reason.Message, reason);
