using System.Reflection;
using NUnit.Framework;

namespace RemoteExec.Tidy;

/// <summary>BannedSymbols.txt, which the analyser enforces: a misspelt row would ban nothing and say nothing.</summary>
public sealed class BannedSymbolTests
{
    private static readonly Assembly[] BaseAssemblies =
        [typeof(object).Assembly, typeof(Console).Assembly, typeof(System.Collections.Concurrent.ConcurrentBag<>).Assembly];

    private static IEnumerable<string> Rows =>
        Repository.Read("BannedSymbols.txt").Split('\n', StringSplitOptions.RemoveEmptyEntries);

    [TestCaseSource(nameof(Rows))]
    public void A_banned_symbol_exists_and_names_its_replacement(string row)
    {
        string[] parts = row.Split(';', 2);

        Assert.That(parts, Has.Length.EqualTo(2), "symbol;replacement");
        Assert.That(parts[1].Trim(), Is.Not.Empty);
        Assert.That(Exists(parts[0]), Is.True, $"{parts[0]} is not in the base library");
    }

    [TestCase("T:System.Threading.Tym", false)]
    [TestCase("M:System.Threading.Tasks.Task.Wait", true)]
    [TestCase("M:System.Threading.Tasks.Task.Wait(System.String)", false)]
    [TestCase("P:System.DateTime.Then", false)]
    public void A_misspelt_symbol_is_found(string symbol, bool exists) => Assert.That(Exists(symbol), Is.EqualTo(exists));

    private static bool Exists(string symbol)
    {
        string name = symbol[2..];
        if (symbol.StartsWith("T:", StringComparison.Ordinal)) return FindType(name) is not null;

        int bracket = name.IndexOf('(', StringComparison.Ordinal);
        string parameters = bracket < 0 ? "" : name[(bracket + 1)..^1];
        string path = bracket < 0 ? name : name[..bracket];
        int dot = path.LastIndexOf('.');
        return FindType(path[..dot])?
            .GetMember(path[(dot + 1)..])
            .Any(member => member is PropertyInfo || (member is MethodBase method && ParametersOf(method) == parameters)) == true;
    }

    private static Type? FindType(string name) =>
        BaseAssemblies.Select(assembly => assembly.GetType(name)).FirstOrDefault(type => type is not null);

    private static string ParametersOf(MethodBase method) =>
        string.Join(',', method.GetParameters().Select(parameter => parameter.ParameterType.FullName));
}
