return await RemoteExec.Hosting.ProgramHost.RunAsync(new RemoteExec.Worker.WorkerHost(), args);
