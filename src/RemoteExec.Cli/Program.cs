using RemoteExec.Cli;

return await Rexec.RunAsync(args, new CliConsole(Console.OpenStandardOutput(), Console.OpenStandardError(), Console.IsErrorRedirected));
