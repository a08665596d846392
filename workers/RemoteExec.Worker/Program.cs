return await RemoteExec.Worker.WorkerHost.RunAsync(args);
