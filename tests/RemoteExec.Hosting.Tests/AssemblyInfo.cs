using System.Runtime.Versioning;

// Signals, sockets of a service manager.
[assembly: SupportedOSPlatform("linux")]
