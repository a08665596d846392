using RemoteExec.Cli;

return await Rexec.RunAsync(args, CliConsole.OfProcess());
