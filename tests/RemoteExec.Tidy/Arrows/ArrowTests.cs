using NUnit.Framework;

namespace RemoteExec.Tidy;

/// <summary>Arrows between assemblies point inward.</summary>
public sealed class ArrowTests
{
    private static IEnumerable<string> Projects => ProjectFile.OfProduct.Select(project => project.Name);

    [TestCaseSource(nameof(Projects))]
    public void An_assembly_refers_only_to_what_the_floor_plan_allows(string name)
    {
        var project = ProjectFile.OfProduct.Single(project => project.Name == name);
        string compiled = Path.Combine(AppContext.BaseDirectory, project.AssemblyName + ".dll");

        // Executables have short names (rexec-worker); the floor plan knows rooms by their folders.
        var referred = CompiledReferences.Of(compiled)
            .Select(reference => ProjectFile.OfProduct.FirstOrDefault(other => other.AssemblyName == reference)?.Name ?? reference);
        Assert.That(ArrowRules.Violations(name, referred), Is.Empty);
        Assert.That(ArrowRules.Violations(name, project.References), Is.Empty);
    }

    [Test]
    public void Every_row_of_the_floor_plan_is_an_assembly() =>
        Assert.That(Projects, Is.SupersetOf(ArrowRules.All.Select(rule => "RemoteExec." + rule.Assembly)));

    [Test]
    public void The_floor_plan_has_no_circles()
    {
        // Inward means that rooms can be put in an order in which each refers to earlier ones only.
        var waiting = ArrowRules.All.ToList();
        var placed = new HashSet<string>();
        while (waiting.RemoveAll(rule => rule.Rooms.All(placed.Contains) && placed.Add(rule.Assembly)) > 0)
        {
        }

        Assert.That(waiting.Select(rule => rule.Assembly), Is.Empty);
    }

    [TestCase("RemoteExec.Scheduling", "RemoteExec.Storage", "allowed the base library, Core: pure rules")]
    [TestCase("RemoteExec.Core", "Google.Protobuf", "allowed the base library, Blake3: words know nothing")]
    [TestCase("RemoteExec.Rpc", "RemoteExec.Core", "the wire knows no REAPI")]
    [TestCase("RemoteExec.Services", "RemoteExec.Web", "no rules of its own")]
    [TestCase("RemoteExec.Storage", "Microsoft.AspNetCore.Server.Kestrel.Core", "no web server")]
    [TestCase("RemoteExec.Worker", "RemoteExec.Scheduling", "by the wire only")]
    [TestCase("RemoteExec.Storage", "System.Reactive", "no rules")]
    public void A_wrong_arrow_is_named_with_the_rule(string assembly, string reference, string rule)
    {
        string violation = ArrowRules.Violations(assembly, ["System.Runtime", reference]).Single();

        Assert.That(violation, Does.StartWith($"{assembly} -> {reference} is a wrong arrow."));
        Assert.That(violation, Does.Contain(rule));
    }

    [TestCase("RemoteExec.Rpc", "Microsoft.AspNetCore.Http")]
    [TestCase("RemoteExec.Scheduling.Local", "RemoteExec.Scheduling")]
    [TestCase("RemoteExec.Cli", "System.CommandLine")]
    [TestCase("RemoteExec.Core", "System.Collections.Immutable")]
    public void A_right_arrow_is_left_alone(string assembly, string reference) =>
        Assert.That(ArrowRules.Violations(assembly, [reference]), Is.Empty);

    [Test]
    public void An_assembly_without_a_row_is_refused() =>
        Assert.That(ArrowRules.Violations("RemoteExec.Attic", []).Single(), Does.Contain("has no row"));

    [Test]
    public void References_are_read_from_metadata() =>
        Assert.That(CompiledReferences.Of(typeof(ArrowTests).Assembly.Location), Does.Contain("nunit.framework"));
}
