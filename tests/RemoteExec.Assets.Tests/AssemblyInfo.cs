using System.Runtime.Versioning;

// Servers with a sandbox, signals, mounts.
[assembly: SupportedOSPlatform("linux")]
