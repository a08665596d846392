using RemoteExec.Conformance;

if (Arguments.Parse(args) is not { Endpoint: { } endpoint } asked)
{
    await Console.Error.WriteLineAsync(Arguments.Usage);
    return 2;
}

using var cancellation = new CancellationTokenSource();
Console.CancelKeyPress += (_, press) =>
{
    press.Cancel = true;
    cancellation.Cancel();
};

using var connection = new Connection(endpoint, asked.Instance, asked.Platform) { Slots = asked.Slots };
if (asked.FuzzMessages > 0) return await FuzzCommand.RunAsync(connection, asked, cancellation.Token);

Check[] checks = [.. Suite.All.Where(asked.Wants)];
if (checks.Length == 0)
{
    await Console.Error.WriteLineAsync($"no check is called {string.Join(", ", asked.Only)}\n{Arguments.Usage}");
    return 2;
}

var runner = new CheckRunner(connection, CheckRunner.DefaultPatience);
var findings = new List<Finding>();
foreach (var check in checks) findings.Add(await runner.RunAsync(check, cancellation.Token));
await Console.Out.WriteAsync(asked.IsJson ? FindingsJson.Format(findings) : FindingsTable.Format(findings));
return findings.TrueForAll(each => each.Verdict != Verdict.Failed) ? 0 : 1;
