namespace RemoteExec.Worker.Sandbox;

/// <summary>
/// The walls that a spec may ask for (TRUST 4.5). A wall that was asked for and cannot be built fails the action;
/// leaving one out is the caller's decision, never the launcher's. The numbers are the wire's.
/// </summary>
[Flags]
public enum SandboxWalls : uint
{
    None = 0,

    /// <summary>User namespace: the owner of the linked inputs does not exist inside.</summary>
    User = 1 << 0,

    /// <summary>Own mount tree: read-only system paths, the input root, private /tmp, /dev, /proc.</summary>
    Root = 1 << 1,

    /// <summary>Own process tree with an init of ours, which takes every orphan along when it ends.</summary>
    Processes = 1 << 2,

    /// <summary>Own network with a loopback device and nothing else.</summary>
    Network = 1 << 3,

    /// <summary>Own System V IPC and POSIX message queues.</summary>
    Ipc = 1 << 4,

    /// <summary>Own host name.</summary>
    HostName = 1 << 5,

    /// <summary>System call filter.</summary>
    SystemCalls = 1 << 6,

    /// <summary>Control groups for memory, CPU and number of processes.</summary>
    Limits = 1 << 7,

    All = User | Root | Processes | Network | Ipc | HostName | SystemCalls | Limits,
}
