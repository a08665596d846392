using System.Runtime.Versioning;

// The harness starts Linux programs, signals them and looks for them in /proc.
[assembly: SupportedOSPlatform("linux")]
