namespace RemoteExec.Services.Tests;

/// <summary>Of a type that nobody thought of.</summary>
internal sealed class UnheardOfException() : Exception("unheard of");
