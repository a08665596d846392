return await RemoteExec.Server.ServerHost.RunAsync(args);
