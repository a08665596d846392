return await RemoteExec.Hosting.ProgramHost.RunAsync(new RemoteExec.Server.ServerHost(), args);
