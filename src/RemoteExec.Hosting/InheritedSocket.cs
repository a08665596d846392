using System.Net;

namespace RemoteExec.Hosting;

/// <summary>A listening socket that was opened before this process was started.</summary>
/// <param name="Name">What its unit calls it (FileDescriptorName=).</param>
/// <param name="Handle">The descriptor, which stays open until the process ends.</param>
/// <param name="Address">Null for what is no internet socket.</param>
public sealed record InheritedSocket(string Name, ulong Handle, IPEndPoint? Address);
