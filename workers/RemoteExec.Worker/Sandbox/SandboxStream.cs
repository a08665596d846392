namespace RemoteExec.Worker.Sandbox;

public enum SandboxStream
{
    Stdout = 1,
    Stderr = 2,
}
