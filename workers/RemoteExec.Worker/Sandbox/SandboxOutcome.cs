namespace RemoteExec.Worker.Sandbox;

/// <summary>Why an action is over. The numbers are the wire's.</summary>
public enum SandboxOutcome
{
    /// <summary>The main process exited with <see cref="SandboxReport.ExitCode"/>.</summary>
    Exited = 1,

    /// <summary>The main process died of <see cref="SandboxReport.Signal"/>, which nobody of ours sent.</summary>
    Signaled = 2,

    /// <summary>Still running at <see cref="SandboxLimits.Timeout"/>, and killed.</summary>
    TimedOut = 3,

    /// <summary>Killed because the caller cancelled.</summary>
    Killed = 4,

    /// <summary>The kernel killed a process of the tree because of <see cref="SandboxLimits.MemoryBytes"/>, and the main process failed.</summary>
    MemoryLimit = 5,

    /// <summary>The program does not exist where REAPI says to look (X2).</summary>
    ProgramNotFound = 6,

    /// <summary>The program exists and the kernel refuses to execute it (not executable, wrong format, arguments too long).</summary>
    ProgramNotRunnable = 7,

    /// <summary>The working directory is missing from the input root or leads out of it.</summary>
    WorkingDirectoryInvalid = 8,

    /// <summary>A wall could not be built: the fault is this machine's, not the action's.</summary>
    SetupFailed = 9,

    /// <summary>The spec itself was refused: not representable, or too large.</summary>
    SpecInvalid = 10,

    /// <summary>The launcher died under the action; the whole tree died with it.</summary>
    LauncherLost = 11,

    /// <summary>What it wrote could not be kept, and it was killed: the fault is this machine's, not the action's. Never on the wire.</summary>
    OutputLost = 12,
}
